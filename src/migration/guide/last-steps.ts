import { posix } from 'node:path';
import { imageFileOf, shown } from './names.js';
import type { GuideCommand, GuideInput, GuideServer, GuideStep, UndoCommand } from './types.js';
import { command, variable } from './words.js';

/** How long a guest may take to boot: what `migrate` waits, too. */
const BOOT_SECONDS = 300;

export function bootStep(input: GuideInput, server: GuideServer): GuideStep | null {
  if (input.waitFor === 'active') return null;
  const name = shown(server.name);
  const wait = (text: string, wanted: string, failed: string | null): GuideCommand => ({
    kind: 'wait',
    text,
    what: `a sign of life of ${name}`,
    wanted,
    failed,
    seconds: BOOT_SECONDS,
  });
  if (input.waitFor === 'console') {
    return bootOf(
      'The console is the proof that the guest has booted: it shows a login prompt. A guest whose console is not serial shows none: look at its screen (openstack console url show).',
      [wait('openstack console log show "$SERVER"', 'login:', 'Kernel panic - not syncing')],
    );
  }
  const address: GuideCommand = {
    kind: 'ask',
    variable: 'ADDRESS',
    text: `openstack port show "$PORT0" -f json -c fixed_ips | sed -n 's/.*"ip_address": "\\([^"]*\\)".*/\\1/p' | head -n 1`,
  };
  const port = /^tcp:(\d+)$/.exec(input.waitFor)?.[1];
  if (port === undefined) {
    return bootOf('The guest answers to ping (a security group must let it in).', [
      address,
      wait('ping -c 1 -W 2 "$ADDRESS"', ' 0% packet loss', null),
    ]);
  }
  return bootOf(`The guest answers on TCP port ${port} (a security group must let it in).`, [
    address,
    wait(`timeout 3 bash -c ': < "/dev/tcp/$0/$1" && echo open' "$ADDRESS" ${port}`, '^open$', null),
  ]);
}

function bootOf(why: string, commands: GuideCommand[]): GuideStep {
  return {
    title: 'See it boot',
    why,
    commands,
    check: { text: 'Log in, and look at what runs on it.', commands: [] },
    undo: { text: 'Nothing was changed.', commands: [] satisfies UndoCommand[] },
  };
}

/** The last lines that are no migration any more. */
export function guestStep(input: GuideInput): GuideStep {
  const linux = !/^win/i.test(input.vm.guest_id ?? '');
  return {
    title: 'Inside the guest',
    why: linux
      ? 'The guest finds another machine: disks on another bus, another NIC, another way out. Look at fstab (UUIDs instead of device names), at the network configuration (the interface may have a new name; its address must be the one that the port has), take open-vm-tools off and put qemu-guest-agent on.'
      : 'Windows finds another machine: install the virtio drivers (before it moves, if it does not boot), look at the network configuration (its address must be the one that the port has), take VMware Tools off and put the QEMU guest agent on.',
    commands: [],
    check: {
      text: linux ? 'In the guest:' : 'In the guest, in PowerShell: Get-Disk; Get-NetIPAddress',
      commands: linux ? [{ kind: 'run', text: 'lsblk -f; sudo findmnt --verify; ip -br addr', page: true }] : [],
    },
    undo: { text: 'Not needed: undoing the server leaves the VM on the host as it is.', commands: [] },
    later: true,
  };
}

/** The images have served when the server runs. */
export function cleanStep(input: GuideInput): GuideStep {
  const files = input.disks.flatMap(({ label }) => {
    const image = imagesOf(input).find((item) => item.label === label);
    return [
      ...(input.via === 'cinder' ? [] : [posix.normalize(imageFileOf(label, image?.format ?? 'raw'))]),
      imageFileOf(label, 'raw').replace(/\.raw$/, ''),
    ];
  });
  const images = imagesOf(input).map((_, index) => variable(`IMAGE${index}`));
  return {
    title: 'Clean up',
    why: 'When the server does what the VM did, what was copied has served. The VM on the host stays, off, until you delete it there.',
    commands: [
      { kind: 'run', text: command('rm', '-rf', ...files) },
      ...(images.length === 0
        ? []
        : [{ kind: 'run', text: command('openstack', 'image', 'delete', ...images) } as const]),
    ],
    check: { text: 'Never start both: the VM on the host and the server have one identity.', commands: [] },
    undo: { text: 'Copy and upload again.', commands: [] },
    later: true,
  };
}

/** The images that the guide makes. */
function imagesOf(input: GuideInput): GuideInput['images'] {
  return input.via === 'cinder' ? [] : input.images;
}
