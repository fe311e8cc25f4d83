/** What Glance calls an operating system that vSphere names by a guest id. */
export interface GuestOs {
  type: 'linux' | 'windows' | null;
  /** Glance's `os_distro`; `unknown` where the guest id does not say. */
  distro: string;
  /** `unknown` where the guest id does not say. */
  version: string;
}

/** Windows by guest id. vSphere names many after the release before. Source: vSphere API, VirtualMachineGuestOsIdentifier. */
const WINDOWS: readonly (readonly [RegExp, string])[] = [
  [/^windows2022srvNext/i, '2025'],
  [/^windows2019srvNext/i, '2022'],
  [/^windows2019srv/i, '2019'],
  [/^windows9Server/i, '2016'],
  [/^windows8Server/i, '2012'],
  [/^windows7Server/i, '2008r2'],
  [/^winLonghorn/i, '2008'],
  [/^winNet/i, '2003'],
  [/^windows(\d+)_/i, ''],
  [/^windows(\d+)Guest/i, ''],
  [/^winVista/i, 'vista'],
  [/^winXP/i, 'xp'],
  [/^win2000/i, '2000'],
];

/** Distributions by the beginning of a guest id; a number after it is the release. Source: as above; os_distro: Glance. */
const DISTROS: readonly (readonly [RegExp, string])[] = [
  [/^ubuntu()/i, 'ubuntu'],
  [/^debian(\d*)/i, 'debian'],
  [/^centos(\d*)/i, 'centos'],
  [/^rhel(\d*)/i, 'rhel'],
  [/^rockylinux()/i, 'rocky'],
  [/^almalinux()/i, 'almalinux'],
  [/^oracleLinux(\d*)/i, 'ol'],
  [/^opensuse()/i, 'opensuse'],
  [/^sles(\d*)/i, 'sles'],
  [/^suse()/i, 'sles'],
  [/^fedora()/i, 'fedora'],
  [/^amazonlinux(\d*)/i, 'amazon'],
  [/^vmwarePhoton()/i, 'photon'],
  [/^coreos()/i, 'coreos'],
  [/^asianux(\d*)/i, 'asianux'],
  [/^mandriva()/i, 'mandriva'],
  [/^freebsd(\d*)/i, 'freebsd'],
  [/^solaris(\d*)/i, 'opensolaris'],
  [/^netware(\d*)/i, 'netware'],
];

/** Those of {@link DISTROS} that are no Linux. */
const NOT_LINUX = new Set(['freebsd', 'opensolaris', 'netware']);

/** The operating system that a vSphere guest id names. */
export function guestOs(guestId: string | null): GuestOs {
  const id = guestId ?? '';
  for (const [pattern, known] of WINDOWS) {
    const match = pattern.exec(id);
    if (!match) continue;
    // windows9 is Windows 10; 7, 8, 11 and later are themselves.
    const own = match[1] === '9' ? '10' : (match[1] ?? '');
    return { type: 'windows', distro: 'windows', version: known === '' ? own : known };
  }
  if (/^win/i.test(id)) return { type: 'windows', distro: 'windows', version: 'unknown' };
  for (const [pattern, distro] of DISTROS) {
    const match = pattern.exec(id);
    if (!match) continue;
    return { type: NOT_LINUX.has(distro) ? null : 'linux', distro, version: releaseOf(match[1] ?? '') };
  }
  if (/linux/i.test(id)) return { type: 'linux', distro: 'linux', version: 'unknown' };
  return { type: null, distro: 'unknown', version: 'unknown' };
}

/** `freebsd64Guest` is 64 bits of an unknown release; `centos7_64Guest` is release 7. */
function releaseOf(digits: string): string {
  return digits === '' || digits === '64' ? 'unknown' : digits;
}
