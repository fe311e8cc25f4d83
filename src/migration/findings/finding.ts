import type { DiskRecord, Inventory, VmRecord } from '../../esxi/index.js';

/** `blocker`: it cannot move as it is. `warning`: it moves, and something is lost or to be done. `info`: good to know. */
export type Severity = 'blocker' | 'warning' | 'info';

/** One thing that was found on a VM. The fields are the contract of `inventory -f json`. */
export interface Finding {
  /** Stable word: `vm.powered_on`. Never changes its meaning. */
  code: string;
  severity: Severity;
  /** `vm`, or the label of a disk, NIC or device. */
  subject: string;
  /** What was found, as a sentence that follows the subject's name. */
  message: string;
  /** What a person can do, or what is done about it. */
  remedy: string;
}

/** What guides/findings.md says of a code, whatever the VM. */
export interface Explanation {
  /** A few words: `it boots by EFI`, `the disk is independent`. */
  title: string;
  /** `blocker`, or `warning, blocker while …` */
  severity: string;
  /** What it means for the move. */
  explains: string;
  /** OpenStack's answer: what a person can do. */
  remedy: string;
}

/** A rule: it looks at one VM and says what it found. Pure, so the same inventory always gives the same findings. */
export interface FindingRule {
  /** Every code that the rule can give; no other rule gives them. */
  readonly codes: readonly string[];
  /** Each of the codes, for the guide. */
  readonly explains: Readonly<Record<string, Explanation>>;
  /** Those of the codes whose blockers a person may take knowingly: the move can go well in spite of them. */
  readonly overridable?: readonly string[];
  /** A few words by code for the inventory's READY column: "shut it down first". */
  readonly advice?: Readonly<Record<string, string>>;
  find(vm: VmRecord, host: Inventory): Finding[];
}

export function finding(
  code: string,
  severity: Severity,
  subject: string,
  text: { message: string; remedy: string },
): Finding {
  return { code, severity, subject, ...text };
}

/** The raw device below a disk; also below a snapshot's delta, whose own kind is another. */
export function rawKindOf(vm: VmRecord, { label, kind }: DiskRecord): 'rdm_virtual' | 'rdm_physical' | null {
  if (kind === 'rdm_virtual' || kind === 'rdm_physical') return kind;
  return vm.facts.rawDisks[label] ?? null;
}

/** `3 snapshots`, `1 snapshot`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
