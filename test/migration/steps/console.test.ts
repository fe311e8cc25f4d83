import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeConsole } from '../../../src/migration/steps/console.js';

const ESC = '\u001b';

const debian = `[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)
[    1.204512] virtio_scsi virtio2: 2/0/0 default/read/poll queues
Loading Linux 6.1.0-18-amd64 ...
Begin: Running /scripts/local-premount ... done.
/dev/sda1: clean, 34125/2621440 files, 512345/10485504 blocks
${ESC}[0;1;39mWelcome to ${ESC}[0m${ESC}[0;1;31mDebian GNU/Linux 12 (bookworm)${ESC}[0m!
[${ESC}[0;32m  OK  ${ESC}[0m] Started ${ESC}[0;1;39mgetty@tty1.service${ESC}[0m - Getty on tty1.
[${ESC}[0;32m  OK  ${ESC}[0m] Reached target ${ESC}[0;1;39mmulti-user.target${ESC}[0m - Multi-User System.

Debian GNU/Linux 12 web01 ttyS0

web01 login: `;

const rocky = `[    2.113] systemd[1]: Starting dracut initqueue hook...
[  OK  ] Started Serial Getty on ttyS0.

Rocky Linux 9.3 (Blue Onyx)
Kernel 5.14.0-362.8.1.el9_3.x86_64 on an x86_64

Activate the web console with: systemctl enable --now cockpit.socket

db-01.example.org login: `;

const ubuntu = `Ubuntu 22.04.3 LTS ubuntu ttyS0

ubuntu login: [   21.330121] cloud-init[912]: Cloud-init v. 23.3.3-0ubuntu0~22.04.1 running 'modules:final'
ci-info: +++++++Authorized keys from /home/ubuntu/.ssh/authorized_keys for user ubuntu+++++++
<14>Nov 24 10:01:02 cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----
-----END SSH HOST KEY KEYS-----
[   22.100231] cloud-init[912]: Cloud-init v. 23.3.3-0ubuntu0~22.04.1 finished at Fri, 24 Nov 2023 10:01:02 +0000. Up 22.09 seconds
`;

describe('a login prompt', () => {
  it.each([
    ['Debian', debian, 'web01 login:'],
    ['Rocky', rocky, 'db-01.example.org login:'],
    ['Ubuntu, with cloud-init behind it', ubuntu, 'ubuntu login:'],
    [
      'kernel messages on the next lines',
      'web01 login: \r\n[   31.12] IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link\r\n',
      'web01 login:',
    ],
    ['a kernel message on the same line', 'web01 login: [   31.120001] random: crng init done\n', 'web01 login:'],
    ['FreeBSD', 'FreeBSD/amd64 (bsd) (ttyu0)\r\n\r\nlogin: ', 'login:'],
    ['a system without a name', '\n(none) login: ', '(none) login:'],
    ['a capital', 'MikroTik 7.11.2 (stable)\nMikroTik Login: ', 'MikroTik Login:'],
    [
      'automatic login',
      'web01 login: root (automatic login)\n\nLast login: Tue Nov 24 on ttyS0\nroot@web01:~# ',
      'web01 login: root (automatic login)',
    ],
    [
      'escapes around it',
      `${ESC}[2J${ESC}[1;1H${ESC}]0;console\u0007${ESC}[?25h\rweb01 login:${ESC}[0m `,
      'web01 login:',
    ],
    ['systemd’s OSC marks', `${ESC}]3008;start=1f2e;type=boot${ESC}\\web01 login: `, 'web01 login:'],
    ['the last of several', 'old01 login: \n[ 9.1] reboot\nnew01 login: ', 'new01 login:'],
    [
      'an emergency that was left',
      'You are in emergency mode.\nGive root password for maintenance\n...\nweb01 login: ',
      'web01 login:',
    ],
    [
      'a dracut time-out that was overcome',
      'dracut-initqueue[312]: Warning: dracut-initqueue timeout - starting timeout scripts\nweb01 login: ',
      'web01 login:',
    ],
  ])('is seen: %s', (_, log, line) => {
    expect(judgeConsole(log)).toEqual({ seen: 'login', line });
  });

  it.each([
    ['a message of the kernel', '[    5.1] audit: user login: failed\n'],
    ['logind', '[  OK  ] Started systemd-logind.service - User Login Management.\n'],
    ['last login', 'Last login: Tue Nov 24 10:00:00 UTC 2026 on ttyS0\n'],
    ['CirrOS’ hint', "login as 'cirros' user. default password: 'gocubsgo'. use 'sudo' for root.\n"],
    ['a sentence', 'Please enter the key and then your login:\n'],
    ['a log entry', 'Nov 24 10:00:01 web01 sshd[71]: invalid login: root from 10.0.0.9\n'],
    ['nothing at all', ''],
    ['blanks', ' \r\n \n'],
  ])('is not seen in %s', (_, log) => {
    expect(judgeConsole(log).seen).toBe('nothing');
  });

  it('is named with the last line while it is awaited', () => {
    expect(judgeConsole('Booting from Hard Disk...\r\n[    1.2] Run /init\r\n\r\n')).toEqual({
      seen: 'nothing',
      line: '[    1.2] Run /init',
    });
  });
});

describe('a shell', () => {
  it.each([
    ['busybox', 'Please press Enter to activate this console.\n\n/ # ', '/ #'],
    ['busybox, home', '~ # ', '~ #'],
    ['bash', 'root@web01:~# ', 'root@web01:~#'],
    ['Rocky', '[root@web01 ~]# ', '[root@web01 ~]#'],
    ['Alpine', 'alpine:~# ', 'alpine:~#'],
    ['init=/bin/bash', 'bash-5.2# ', 'bash-5.2#'],
    ['kernel messages after it', '/ # [    3.10] random: crng init done\n[    9.02] EXT4-fs (sda1): mounted\n', '/ #'],
  ])('is seen: %s', (_, log, line) => {
    expect(judgeConsole(log)).toEqual({ seen: 'shell', line });
  });

  it.each(['/ # \nshutting down\n', 'Progress: 20 #', 'see http://example.org/ #', '########'])(
    'is not seen in %j',
    (log) => expect(judgeConsole(log).seen).toBe('nothing'),
  );
});

describe('a failure', () => {
  it.each([
    [
      'emergency mode (Debian)',
      '[ TIME ] Timed out waiting for device /dev/sdb1.\n[DEPEND] Dependency failed for /data.\nYou are in emergency mode. After logging in, type "journalctl -xb" to view\nGive root password for maintenance\n(or press Control-D to continue): ',
      /fstab/,
      /maintenance|emergency/,
    ],
    [
      'emergency shell with a prompt',
      'You are in emergency mode.\nPress Enter for maintenance\nroot@web01:~# ',
      /fstab/,
      /./,
    ],
    [
      'initramfs-tools',
      'Gave up waiting for root file system device.\nALERT!  UUID=0f3a-11 does not exist.  Dropping to a shell!\n\nBusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)\n\n(initramfs) ',
      /virtio_scsi/,
      /ALERT!/,
    ],
    [
      'initramfs, kernel message behind it',
      '(initramfs) [    9.1] random: crng init done\n',
      /virtio_scsi/,
      /initramfs/,
    ],
    [
      'a file system to be checked',
      'The root filesystem on /dev/sda1 requires a manual fsck\n\n(initramfs) ',
      /fsck/,
      /manual fsck/,
    ],
    [
      'dracut',
      'dracut-initqueue[311]: Warning: Could not boot.\nGenerating "/run/initramfs/rdsosreport.txt"\n\nEntering emergency mode. Exit the shell to continue.\n\ndracut:/# ',
      /rebuild it with the virtio/,
      /./,
    ],
    [
      'no root disk',
      '[    1.9] VFS: Cannot open root device "sda1" or unknown-block(0,0): error -6\n[    1.9] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n[    1.9] ---[ end Kernel panic - not syncing ]---\n',
      /virtio driver/,
      /VFS/,
    ],
    [
      'another panic',
      '[    4.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00\n',
      /lines before/,
      /kill init/,
    ],
    [
      'GRUB rescue',
      'GRUB loading...\nWelcome to GRUB!\n\nerror: no such device: 0f3a.\nEntering rescue mode...\ngrub rescue> ',
      /GRUB/,
      /^grub rescue>$/,
    ],
    ['GRUB without its menu', '  Minimal BASH-like line editing is supported.\n\ngrub> ', /GRUB/, /^grub>$/],
    [
      'SeaBIOS',
      `${ESC}c${ESC}[?7l${ESC}[2J${ESC}[0mSeaBIOS (version 1.16.2-1)\r\n\r\nBooting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n`,
      /boot loader/,
      /bootable/,
    ],
    [
      'OVMF shell',
      `BdsDxe: failed to load Boot0001 "UEFI QEMU HARDDISK " from PciRoot(0x0): Not Found\r\n${ESC}[1mUEFI Interactive Shell v2.2${ESC}[0m\r\nEDK II\r\nPress ESC in 1 seconds to skip startup.nsh\r\nShell> `,
      /BOOTX64/,
      /Shell/,
    ],
    [
      'OVMF, nothing to boot',
      'BdsDxe: No bootable option or device was found.\nBdsDxe: Press any key to enter the Boot Manager Menu.\n',
      /BOOTX64/,
      /No bootable option/,
    ],
    [
      'a panic after the login prompt',
      'web01 login: \n[  40.1] Kernel panic - not syncing: Fatal exception\n',
      /lines before/,
      /Fatal/,
    ],
  ])('is seen: %s', (_, log, hint, line) => {
    const verdict = judgeConsole(log);
    expect(verdict.seen).toBe('failure');
    if (verdict.seen !== 'failure') return;
    expect(verdict.hint).toMatch(hint);
    expect(verdict.line).toMatch(line);
  });

  it.each([
    [
      'a firmware that goes on to the next disk',
      'Boot failed: not a bootable disk\n\nBooting from Hard Disk...\nGRUB loading...\n',
    ],
    [
      'OVMF that starts another entry',
      'BdsDxe: failed to load Boot0001 "UEFI DVD": Not Found\nBdsDxe: starting Boot0002 "UEFI HARDDISK"\n',
    ],
    [
      'dracut that still looks',
      'dracut-initqueue[312]: Warning: dracut-initqueue timeout - starting timeout scripts\n',
    ],
    ['a log that tells of GRUB', '[  OK  ] Finished grub-common.service - Record successful boot for GRUB.\n'],
  ])('is not seen in %s', (_, log) => {
    expect(judgeConsole(log).seen).toBe('nothing');
  });
});

it('judges any text without error, always with a single line', () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      '\r\n',
      '\n',
      ESC,
      `${ESC}[`,
      `${ESC}]`,
      'login:',
      'web01 login: ',
      '/ # ',
      '[  1.2] ',
      'grub> ',
      'Shell>',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const verdict = judgeConsole(pieces.join(''));
      expect(verdict.line).not.toMatch(/[\r\n]/);
      if (verdict.seen === 'login') expect(verdict.line).toMatch(/login:/i);
    }),
  );
});
