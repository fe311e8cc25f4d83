/**
 * What the tail of a serial console tells about a boot. A prompt counts only when nothing after it says otherwise, and
 * a known failure wins over a shell: an emergency shell also has a prompt.
 */
export type ConsoleVerdict =
  | { seen: 'login' | 'shell'; line: string }
  | { seen: 'failure'; line: string; hint: string }
  | { seen: 'nothing'; line: string };

interface Failure {
  pattern: RegExp;
  hint: string;
  /** The firmware tries one device after the other: only while nothing has booted after it is it a failure. */
  firmware?: true;
}

const NO_DRIVER = 'The initramfs has no driver for the disk; add virtio_scsi and virtio_blk to it.';
const NO_EFI_LOADER = 'The firmware found no boot loader; the ESP needs \\EFI\\BOOT\\BOOTX64.EFI.';

/** The first that fits counts, so what tells more comes first. Each is tried on single lines. */
const FAILURES: readonly Failure[] = [
  {
    // "initqueue timeout" alone is not the end: dracut goes on to look for a long time after it.
    pattern: /^dracut:\/#|dracut.*Could not boot|\/run\/initramfs\/rdsosreport\.txt/i,
    hint: 'The initramfs has no driver for the disk; rebuild it with the virtio drivers.',
  },
  {
    pattern: /requires a manual fsck|RUN fsck MANUALLY/i,
    hint: 'The guest wants its file system checked; run fsck on the volume.',
  },
  {
    pattern: /Give root password for maintenance|You are in (?:emergency|rescue) mode|emergency mode/i,
    hint: 'The guest did not find something that its fstab names; use UUIDs there instead of device names.',
  },
  {
    pattern: /VFS: (?:Unable to mount root|Cannot open root device)/i,
    hint: 'The kernel did not find its root disk: a virtio driver is missing in the initramfs.',
  },
  { pattern: /Kernel panic - not syncing/i, hint: 'The kernel of the guest stopped; the lines before it say why.' },
  { pattern: /ALERT!.*does not exist/i, hint: NO_DRIVER },
  { pattern: /^\(initramfs\)/, hint: NO_DRIVER },
  {
    pattern: /^grub rescue>|^grub>/i,
    hint: 'GRUB did not find its files; the boot disk may not be the first one.',
  },
  {
    pattern: /No bootable device|Boot failed: not a bootable disk|Operating System not found/i,
    hint: 'The first disk holds no boot loader for this firmware; the VM may be UEFI, or boot from another disk.',
    firmware: true,
  },
  { pattern: /^UEFI Interactive Shell|^Shell>/i, hint: NO_EFI_LOADER, firmware: true },
  { pattern: /BdsDxe: (?:No bootable option|failed to load)/i, hint: NO_EFI_LOADER, firmware: true },
];

/** Something that the firmware has started, or that it still tries. */
const STARTED = /BdsDxe: (?:loading|starting)|GRUB loading|SYSLINUX|ISOLINUX|Linux version|Booting `|systemd\[1\]/;

/** A line of the kernel, which may also come in behind a prompt: `web01 login: [   25.1] random: crng init done`. */
const KERNEL = /\[ *\d+\.\d+\] .*$/;
/** `web01 login:`, as getty and its kin print it; a sentence that ends so is none. */
const LOGIN = /^(?:(?:[\w.-]+|\(none\)) )?login:(?: \S+ \(automatic login\))?$/i;
/** A root shell waiting on the console (`/ # `, `root@web01:~# `, `sh-5.1#`): small systems have no getty. */
const SHELL = /^(?:\/|~|\[?[\w.-]+@[\w.-]+[ :][^\n]*?\]?|[\w.-]+:[~/]\S*|(?:ba)?sh-[\d.]+) ?[#$]$/;

/** Judges a console log. ANSI escapes and carriage returns are taken out first. */
export function judgeConsole(log: string): ConsoleVerdict {
  const lines = plain(log)
    .split('\n')
    .map((line) => line.trim());
  // What the kernel prints comes in anywhere, even behind a prompt that waits.
  const spoken = lines.map((line) => line.replace(KERNEL, '').trim());
  const login = spoken.findLastIndex((line) => LOGIN.test(line));
  const failure = failureAfter(lines, login);
  if (failure) return failure;
  if (login >= 0) return { seen: 'login', line: spoken[login] ?? '' };
  const prompt = spoken.findLast((line) => line !== '') ?? '';
  if (SHELL.test(prompt)) return { seen: 'shell', line: prompt };
  return { seen: 'nothing', line: lines.findLast((line) => line !== '') ?? '' };
}

function failureAfter(lines: readonly string[], login: number): ConsoleVerdict | null {
  const after = lines.slice(login + 1);
  for (const { pattern, hint, firmware } of FAILURES) {
    const at = after.findLastIndex((line) => pattern.test(line));
    if (at < 0) continue;
    if (firmware && after.slice(at + 1).some((line) => STARTED.test(line))) continue;
    return { seen: 'failure', line: after[at] ?? '', hint };
  }
  return null;
}

/** Escape sequences of ECMA-48: CSI, OSC (systemd writes these to consoles), and the short ones. */
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?|[()*+][A-Z0-9]|[=>c78DEHM])/g;

function plain(log: string): string {
  return log
    .replace(ESCAPES, '')
    .replace(/\r+\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '');
}
