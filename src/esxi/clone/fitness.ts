import { StackferryError } from '../../core/index.js';
import type { DiskRecord, VmRecord } from '../inventory/schema.js';

/**
 * Whether a VM can be copied while it runs: a snapshot of ours must freeze the very files of its disks that are cloned.
 * @param labels disks that are copied
 * @throws StackferryError (exit code 3) `vm.suspended`, `vm.snapshots`, `vm.consolidation_needed`, `vm.tools_missing`,
 * `vm.fault_tolerance`, `vm.question_pending`, `disk.independent`, `disk.nonpersistent`, `disk.rdm_physical`,
 * `disk.rdm_virtual`, `disk.shared`, `disk.missing`, `disk.unsupported`.
 */
export function assertCloneable(vm: VmRecord, labels: readonly string[], quiesce: boolean): void {
  const refuse = (code: string, why: string, hint: string) =>
    new StackferryError(code, `${vm.name} cannot be copied while it runs: ${why}.`, { hint, exitCode: 3 });
  const { facts } = vm;
  if (vm.power_state === 'suspended') {
    throw refuse('vm.suspended', 'it is suspended, and its memory holds data that its disks lack', 'Resume it first.');
  }
  if (facts.questionPending) {
    throw refuse('vm.question_pending', 'it waits for an answer', 'Answer its question in the host client first.');
  }
  if (facts.faultTolerance) throw refuse('vm.fault_tolerance', 'a fault-tolerant VM takes no snapshot', OFF);
  if (vm.snapshots > 0) {
    throw refuse(
      'vm.snapshots',
      `it has ${vm.snapshots} snapshot(s) already, and only one of ours alone freezes its disks`,
      `Delete them first, or copy it while it is off. What stackferry left: stackferry doctor --cleanup`,
    );
  }
  if (facts.consolidationNeeded || vm.disks.some((disk) => disk.chain.length > 1)) {
    const hint = 'Consolidate its disks in the host client first (Snapshots, Consolidate disks).';
    throw refuse('vm.consolidation_needed', 'its disks run on a delta that no snapshot explains', hint);
  }
  if (quiesce && facts.toolsRunning !== true) {
    const hint = 'Install open-vm-tools in the guest; without --quiesce the copy is as after a power cut.';
    throw refuse('vm.tools_missing', 'no VMware Tools run in its guest to quiesce it', hint);
  }
  for (const disk of vm.disks) assertDisk(disk, labels.includes(disk.label), refuse);
}

const OFF = 'Copy it while it is off: --power-off';
const LEAVE_OUT = 'Copy it while it is off (--power-off), or copy the others alone: --disk LABEL';

function assertDisk(
  { label, mode, kind, shared, chain, path }: DiskRecord,
  copied: boolean,
  refuse: (code: string, why: string, hint: string) => StackferryError,
): void {
  if (shared) throw refuse('disk.shared', `${label} is shared with other VMs, which a snapshot does not allow`, OFF);
  const independent = mode.startsWith('independent');
  // One that stands apart from snapshots hinders none.
  if (kind === 'rdm_physical' && !independent) {
    throw refuse(`disk.${kind}`, `${label} is a raw device in physical mode, which takes no snapshot`, OFF);
  }
  if (!copied) return;
  if (mode !== 'persistent') {
    const code = mode === 'independent_persistent' ? 'disk.independent' : 'disk.nonpersistent';
    throw refuse(code, `${label} is ${mode.replace('_', ' ')} and takes no part in snapshots`, LEAVE_OUT);
  }
  if (kind === 'rdm_virtual' || kind === 'rdm_physical') {
    throw refuse(`disk.${kind}`, `${label} is a mapping of a raw device`, LEAVE_OUT);
  }
  if (path === null || chain.length === 0) {
    throw refuse('disk.missing', `the host does not say where the file of ${label} is`, LEAVE_OUT);
  }
  if (kind !== 'flat') throw refuse('disk.unsupported', `${label} is of the kind ${kind ?? 'unknown'}`, LEAVE_OUT);
}
