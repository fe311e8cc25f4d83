/** Where vSphere's word is not made from the .vmx's by the rule (VirtualMachineGuestOsIdentifier, vSphere API). */
const WORDS: Record<string, string> = {
  other: 'otherGuest',
  'other-64': 'otherGuest64',
  otherlinux: 'otherLinuxGuest',
  oraclelinux: 'oracleLinuxGuest',
  winvista: 'winVistaGuest',
  longhorn: 'winLonghornGuest',
  winxppro: 'winXPProGuest',
  winxphome: 'winXPHomeGuest',
  winnetstandard: 'winNetStandardGuest',
  winnetenterprise: 'winNetEnterpriseGuest',
  winnetdatacenter: 'winNetDatacenterGuest',
  winnetbusiness: 'winNetBusinessGuest',
  winnetweb: 'winNetWebGuest',
  win2000serv: 'win2000ServGuest',
  win2000advserv: 'win2000AdvServGuest',
  win2000pro: 'win2000ProGuest',
};

/**
 * vSphere's word (`rhel6_64Guest`) for a .vmx's `guestOS` (`rhel6-64`). Only used where the host itself does not say
 * it. The rule: `Guest` at the end, `64` before it, with `_` where a digit or a year stands before.
 */
export function guestIdOfVmx(guestOs: string | null): string | null {
  const text = guestOs?.trim() ?? '';
  if (text === '') return null;
  if (/Guest(?:64)?$/.test(text)) return text;
  const lower = text.toLowerCase();
  const whole = WORDS[lower];
  if (whole) return whole;
  const is64 = lower.endsWith('-64');
  const base = is64 ? lower.slice(0, -3) : lower;
  const kernel = /^other(\d+)xlinux$/.exec(base);
  if (kernel) return `other${kernel[1] ?? ''}xLinux${is64 ? '64' : ''}Guest`;
  const server = /^windows([789])srv$/.exec(base);
  if (server) return `windows${server[1] ?? ''}Server${is64 ? '64' : ''}Guest`;
  const next = base.replace(/^(windows\d{4})srvnext$/, '$1srvNext').replace(/^oraclelinux/, 'oracleLinux');
  const word = WORDS[base]?.replace(/Guest$/, '') ?? next;
  if (!is64) return `${word}Guest`;
  const underscore = /\d$/.test(base) || /^(?:windows\d{4}srv|rockylinux|almalinux)/.test(base);
  return `${word}${underscore ? '_' : ''}64Guest`;
}
