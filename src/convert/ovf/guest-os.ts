/**
 * vSphere's word by CIM's number of an operating system (CIM_OperatingSystem.OsType), for descriptors that no VMware
 * product wrote. Numbers that VMware has no word for, or that are not told apart, are left out.
 */
const BY_CIM: Readonly<Record<number, string>> = {
  29: 'solaris10Guest',
  36: 'otherLinuxGuest',
  42: 'freebsdGuest',
  67: 'winXPProGuest',
  69: 'winNetStandardGuest',
  70: 'winNetStandard64Guest',
  71: 'winXPPro64Guest',
  73: 'winVistaGuest',
  74: 'winVista64Guest',
  76: 'winLonghornGuest',
  77: 'winLonghorn64Guest',
  78: 'freebsd64Guest',
  79: 'rhel6Guest',
  80: 'rhel6_64Guest',
  81: 'solaris10_64Guest',
  82: 'opensuseGuest',
  83: 'opensuse64Guest',
  84: 'sles11Guest',
  85: 'sles11_64Guest',
  93: 'ubuntuGuest',
  94: 'ubuntu64Guest',
  95: 'debian6Guest',
  96: 'debian6_64Guest',
  97: 'other24xLinuxGuest',
  98: 'other24xLinux64Guest',
  99: 'other26xLinuxGuest',
  100: 'other26xLinux64Guest',
  101: 'otherLinux64Guest',
  102: 'otherGuest64',
  103: 'windows7Server64Guest',
  105: 'windows7Guest',
  106: 'centosGuest',
  107: 'centos64Guest',
  108: 'oracleLinuxGuest',
  109: 'oracleLinux64Guest',
};

/** Null where the number says nothing that helps. */
export function guestByCim(number: number): string | null {
  return BY_CIM[number] ?? null;
}
