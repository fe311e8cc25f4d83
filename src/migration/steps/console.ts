/**
 * What the tail of a serial console tells about a boot. A prompt counts only when nothing after it says otherwise, and
 * a known failure always wins: an emergency shell also has a prompt.
 */
export type ConsoleVerdict =
  | { seen: 'login' | 'shell'; line: string }
  | { seen: 'failure'; line: string; hint: string }
  | { seen: 'nothing'; line: string };

const FAILURES: { pattern: RegExp; hint: string }[] = [
  {
    pattern: /Give root password for maintenance|You are in (?:emergency|rescue) mode|emergency mode/i,
    hint: 'The guest did not find something that its fstab names; use UUIDs there instead of device names.',
  },
  {
    pattern: /Kernel panic - not syncing.*/i,
    hint: 'The kernel did not find its root disk: a virtio driver is missing in the initramfs.',
  },
  {
    pattern: /ALERT!.*does not exist/i,
    hint: 'The initramfs has no driver for the disk; add virtio_scsi and virtio_blk to it.',
  },
  {
    pattern: /^\(initramfs\)\s*$/m,
    hint: 'The initramfs has no driver for the disk; add virtio_scsi and virtio_blk to it.',
  },
  {
    pattern: /dracut(?:-initqueue)?[:[].*(?:Could not boot|timeout)|^dracut:\/#/im,
    hint: 'The initramfs has no driver for the disk; rebuild it with the virtio drivers.',
  },
  {
    pattern: /grub rescue>|^grub>\s*$/im,
    hint: 'GRUB did not find its files; the boot disk may not be the first one.',
  },
  {
    pattern: /No bootable device|Boot failed: not a bootable disk|Operating System not found/i,
    hint: 'The first disk holds no boot loader for this firmware; the VM may be UEFI, or boot from another disk.',
  },
  {
    pattern: /UEFI Interactive Shell|^Shell>\s*$/im,
    hint: 'The firmware found no boot loader; the ESP needs \\EFI\\BOOT\\BOOTX64.EFI.',
  },
  {
    pattern: /BdsDxe: No bootable option|BdsDxe: failed to load/i,
    hint: 'The firmware found no boot loader; the ESP needs \\EFI\\BOOT\\BOOTX64.EFI.',
  },
];

/** `web01 login:`, as getty and its kin print it; the last one on the screen counts. */
const LOGIN = /^.*\blogin:\s*$/im;
/** A root shell waiting on the console (`/ # `, `root@web01:~# `): small systems have no getty. */
const SHELL = /^(?:\/|~|\[?[\w.-]+@[\w.-]+[ :][^\n]*?\]?) ?[#$]\s*$/;

/** Judges a console log. ANSI escapes and carriage returns are taken out first. */
export function judgeConsole(log: string): ConsoleVerdict {
  const text = log
    // eslint-disable-next-line no-control-regex -- escape sequences are what is looked for
    .replace(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>c78])/g, '')
    .replace(/\r+\n?/g, '\n');
  const lines = text.split('\n').map((line) => line.trimEnd());
  const last = lines.findLast((line) => line.trim() !== '') ?? '';
  const login = lines.findLastIndex((line) => LOGIN.test(line));
  const afterLogin = login < 0 ? text : lines.slice(login + 1).join('\n');
  // BdsDxe tries its entries in turn: a failed one matters only while nothing has booted after it.
  const failure = FAILURES.find(({ pattern }) => pattern.test(afterLogin));
  if (failure) {
    const line = lines.findLast((item) => failure.pattern.test(item)) ?? last;
    const recovered =
      failure.pattern.source.includes('BdsDxe') && /Linux version|LINUX|Welcome to|systemd\[1\]/.test(text);
    if (!recovered) return { seen: 'failure', line: line.trim(), hint: failure.hint };
  }
  if (login >= 0) return { seen: 'login', line: (lines[login] ?? '').trim() };
  if (SHELL.test(last)) return { seen: 'shell', line: last.trim() };
  return { seen: 'nothing', line: last.trim() };
}
