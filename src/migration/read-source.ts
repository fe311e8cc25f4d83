import { StackferryError, UsageError, quoteForHint } from '../core/index.js';
import { selectVms, type EsxiHost, type Inventory, type VmRecord } from '../esxi/index.js';
import { findingsOf, type Finding } from './findings/index.js';

/** The VM that was asked for, with what the host says of it and what stands in its way. */
export interface Source {
  inventory: Inventory;
  vm: VmRecord;
  findings: Finding[];
}

/** Reads one VM by its selector (`NAME`, `id:N`, `uuid:U`). Throws where none or several fit. */
export async function readSource(host: EsxiHost, selector: string): Promise<Source> {
  const inventory = await host.inventory({ only: [selector] });
  const [vm, ...more] = selectVms(inventory, [selector]);
  if (!vm) throw new UsageError(`No VM fits --vm ${quoteForHint(selector)}.`, 'List them with: stackferry inventory');
  if (more.length > 0) {
    const names = [vm, ...more].map((item) => `${item.name} (id:${item.id})`).join(', ');
    throw new UsageError(
      `--vm ${quoteForHint(selector)} fits ${more.length + 1} VMs: ${names}.`,
      'This command moves one VM; name it by id:N.',
    );
  }
  return { inventory, vm, findings: findingsOf(vm, inventory) };
}

/** Labels of the disks that move. `only` picks some (export), `skip` leaves some out on purpose (migrate). */
export function chooseDisks(vm: VmRecord, choice: { only?: readonly string[]; skip?: readonly string[] }): string[] {
  const labels = vm.disks.map((disk) => disk.label);
  for (const [option, wanted] of [
    ['--disk', choice.only],
    ['--skip-disk', choice.skip],
  ] as const) {
    const unknown = wanted?.find((label) => !labels.includes(label));
    if (unknown !== undefined) {
      throw new UsageError(
        `${option} ${unknown}: ${vm.name} has no such disk.`,
        `It has: ${labels.join(', ') || 'none'}.`,
      );
    }
  }
  const chosen = labels.filter(
    (label) => (choice.only === undefined || choice.only.includes(label)) && !(choice.skip ?? []).includes(label),
  );
  if (chosen.length === 0) {
    throw new StackferryError('vm.no_disk', `${vm.name} has no disk to move.`, {
      hint: labels.length === 0 ? 'A server needs a disk to boot from.' : 'Leave out --skip-disk or --disk.',
      exitCode: 3,
    });
  }
  return chosen;
}

/** What may be done to a running VM. */
export interface PowerLeave {
  /** It may be shut down. */
  powerOff: boolean;
  /** And its plug pulled; where that is not said, it is not judged by it. */
  forceOff?: boolean;
  /** It may be copied as it runs. */
  whileRunning?: boolean;
}

/**
 * A finding as it weighs with this leave: a running VM is none where it may be shut down; that it has no Tools to shut
 * it down by is one where only they may do it.
 */
export function weighed(found: Finding, { powerOff, forceOff, whileRunning }: PowerLeave): Finding {
  if (found.code === 'vm.powered_on' && whileRunning === true) {
    return { ...found, severity: 'info', remedy: 'It is copied while it runs (--while-running), and goes on running.' };
  }
  if (found.code === 'vm.powered_on' && powerOff) {
    return { ...found, severity: 'info', remedy: 'It is shut down by --power-off when it is moved.' };
  }
  if (found.code === 'vm.tools_missing' && powerOff && forceOff === false) {
    const remedy =
      'Shut it down from within the guest, or install open-vm-tools there, or have its plug pulled: --force-off';
    return { ...found, severity: 'blocker', remedy };
  }
  return found;
}

/** The blockers that stand. Findings on disks that do not move do not count. */
export function standingBlockers(source: Source, labels: readonly string[], allowed: PowerLeave): Finding[] {
  return source.findings
    .map((finding) => weighed(finding, allowed))
    .filter((finding) => finding.severity === 'blocker' && isOnWhatMoves(source, labels, finding));
}

/** Whether a finding is about the VM, or about a disk that moves. */
export function isOnWhatMoves(source: Source, labels: readonly string[], finding: Finding): boolean {
  return !source.vm.disks.some((disk) => disk.label === finding.subject) || labels.includes(finding.subject);
}

/** The error (exit code 3) of the first of some blockers; it names the others. */
export function blockerError(vmName: string, blockers: readonly Finding[]): StackferryError | null {
  const [first, ...more] = blockers;
  if (!first) return null;
  const on = first.subject === 'vm' ? vmName : `${first.subject} of ${vmName}`;
  const also = more.length === 0 ? '' : ` (and ${more.length} more: ${more.map((item) => item.code).join(', ')})`;
  return new StackferryError(first.code, `${on}: ${first.message}${also}`, { hint: first.remedy, exitCode: 3 });
}
