import { StackferryError, UsageError } from '../../core/index.js';
import { preflightRules } from '../preflight/index.js';
import type { Finding } from './finding.js';
import { findingRules } from './index.js';

/** Codes that come of choices which cannot be made, and of plans that no longer fit: no rule of either list gives them. */
const CHOICES = [
  'nic.unmapped',
  'cloud.no_network',
  'cloud.no_security_group',
  'cloud.no_keypair',
  'plan.outdated',
  'vm.unreadable',
];

const rules = [...findingRules, ...preflightRules];
const overridable: ReadonlySet<string> = new Set(rules.flatMap((rule) => rule.overridable ?? []));
const known: ReadonlySet<string> = new Set([...rules.flatMap(({ codes }) => codes), ...CHOICES]);

/** What a person takes knowingly: a code, and the subject where only one is meant. */
interface Acceptance {
  code: string;
  subject: string | null;
}

/** Where an acceptance was said, for a person: the option, or the list of a plan file. */
export type AcceptSource = '--accept' | 'accept in the plan:';

/** Reads `CODE` or `CODE:SUBJECT`; subjects hold colons themselves (`disk.shared:scsi0:1`). */
function parse(text: string, said: AcceptSource = '--accept'): Acceptance {
  const [, code, subject] = /^([a-z]+\.[a-z_]+)(?::(.+))?$/.exec(text) ?? [];
  if (code === undefined) {
    throw new UsageError(
      `${said} "${text}" is not of the form CODE or CODE:SUBJECT.`,
      'Example: --accept cloud.default_security_group, or --accept disk.independent:scsi0:1',
    );
  }
  return { code, subject: subject ?? null };
}

/**
 * Makes sure that what is said with `--accept`, or in a plan, can be meant.
 * @throws UsageError for another form, and for a code that no finding has.
 */
export function assertAcceptable(texts: readonly string[], said: AcceptSource = '--accept'): void {
  for (const text of texts) {
    const { code } = parse(text, said);
    if (known.has(code)) continue;
    const [area = ''] = code.split('.');
    const near = [...known].filter((item) => item.startsWith(`${area}.`)).sort();
    throw new UsageError(
      `${said} ${text}: no finding has the code ${code}.`,
      near.length === 0 ? 'Take the code from the output of: stackferry check' : `There is: ${near.join(', ')}.`,
    );
  }
}

/** Findings as they stand after what was taken knowingly. */
export interface Standing<F extends Finding> {
  standing: F[];
  accepted: F[];
}

/**
 * Tells which findings still stand. `accept` holds `CODE` or `CODE:SUBJECT`, of options and of the plan; one that fits
 * nothing does nothing.
 * @throws StackferryError `accept.refused` (exit code 3) where it names a blocker that cannot be overridden: the
 *   migration would fail or lose bytes.
 */
export function standing<F extends Finding>(findings: readonly F[], accept: readonly string[]): Standing<F> {
  const taken = accept.map((text) => parse(text));
  const isTaken = ({ code, subject }: Finding) =>
    taken.some((item) => item.code === code && (item.subject === null || item.subject === subject));
  const refused = findings.find((finding) => isTaken(finding) && !isOverridable(finding));
  if (refused) {
    throw new StackferryError(
      'accept.refused',
      `${refused.code}${onSubject(refused)} cannot be accepted: with it the migration would fail or lose bytes. ${refused.message}`,
      { hint: refused.remedy, exitCode: 3, details: { finding: refused.code, subject: refused.subject } },
    );
  }
  return { standing: findings.filter((item) => !isTaken(item)), accepted: findings.filter(isTaken) };
}

/** Warnings and notes may always be taken; blockers where their rule says so. */
export function isOverridable({ code, severity }: Finding): boolean {
  return severity !== 'blocker' || overridable.has(code);
}

/** Those of the acceptances that fit none of the findings. */
export function idle(accept: readonly string[], findings: readonly Finding[]): string[] {
  return accept.filter((text) => {
    const { code, subject } = parse(text);
    return !findings.some((item) => item.code === code && (subject === null || subject === item.subject));
  });
}

function onSubject({ subject }: Finding): string {
  return ['vm', 'cloud', 'host', 'converter'].includes(subject) ? '' : ` of ${subject}`;
}
