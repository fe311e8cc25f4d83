import { TIB, formatBytes } from '../../core/index.js';
import type { DiskProblem, DiskRecord, VmRecord } from '../../esxi/index.js';
import { finding, rawKindOf, type Finding, type FindingRule } from './finding.js';

type Code = DiskProblem['code'];

/** ESXi's largest virtual disk (Configuration Maximums). A raw device may be larger; it has findings of its own. */
const MAX_DISK_BYTES = 62 * TIB;

const REMEDIES: Record<Code, string> = {
  'disk.missing':
    'Put the file back, or remove the disk from the settings of the VM if it is not needed any more. To move the VM without it: --skip-disk LABEL.',
  'disk.chain_broken':
    'Do not edit a CID blindly. Find out which link was changed; clone the newest link that opens (vmkfstools -i LINK.vmdk CLONE.vmdk -d thin), look at its content and use the clone, or restore a backup.',
  'disk.locked':
    'Find who holds it (on the host: vmfsfilelockinfo -p FILE): another VM, a backup, another host. Let that end, then try again.',
  'disk.bad_descriptor':
    'Look at the descriptor on the host. A clean one comes of a clone (vmkfstools -i OLD.vmdk NEW.vmdk -d thin) or, where only the extent is good, is written anew for its size.',
  'disk.too_large':
    'Check the descriptor: it may lie. A disk that really is so large has to be split in the guest before the move.',
  'disk.unsupported':
    'Clone it on the host (vmkfstools -i OLD.vmdk NEW.vmdk -d thin) and give the VM the clone instead.',
};

/** What is wrong with a disk's files, as it was seen while they were read. One finding for each code and disk. */
export const diskFiles: FindingRule = {
  codes: Object.keys(REMEDIES),
  explains: {
    'disk.missing': {
      title: 'a file of the disk is missing',
      severity: 'blocker',
      explains: 'The descriptor or an extent is not there.',
      remedy: 'Put it back or remove the disk from the VM; to move without it: `--skip-disk LABEL`.',
    },
    'disk.chain_broken': {
      title: 'the chain of the disk is broken',
      severity: 'blocker',
      explains:
        'A parent is not there, or it was changed after the snapshot (the CIDs do not agree): what would be read is no disk.',
      remedy:
        'Clone the newest link that opens (`vmkfstools -i`) and look at it, or restore a backup. Do not edit a CID blindly.',
    },
    'disk.locked': {
      title: 'another holds the disk',
      severity: 'blocker',
      explains: 'Another VM, a backup or another host has a file of it open.',
      remedy: 'Find who it is (`vmfsfilelockinfo -p FILE`) and let that end.',
    },
    'disk.bad_descriptor': {
      title: 'the descriptor lies',
      severity: 'blocker',
      explains: 'It cannot be read, points outside, loops, or disagrees with its files; it is not followed.',
      remedy: 'A clean one comes of a clone: `vmkfstools -i OLD.vmdk NEW.vmdk -d thin`.',
    },
    'disk.too_large': {
      title: 'the disk is larger than can be',
      severity: 'blocker',
      explains: 'It says more than the 62 TiB that ESXi can have.',
      remedy: 'Check the descriptor; a disk that really is so large has to be split in the guest.',
    },
    'disk.unsupported': {
      title: 'the disk has a form that cannot be copied',
      severity: 'blocker',
      explains: 'An object of vSAN or vVols, or extents of a form that is not known.',
      remedy: 'Clone it to a VMFS or NFS datastore: `vmkfstools -i OLD.vmdk NEW.vmdk -d thin`.',
    },
  },
  advice: {
    'disk.missing': 'a file of its disk is missing',
    'disk.chain_broken': 'the chain of its disk is broken',
    'disk.locked': 'its disk is in use',
    'disk.bad_descriptor': 'the descriptor of its disk is bad',
    'disk.too_large': 'its disk is too large',
    'disk.unsupported': 'its disk has an unknown form',
  },
  find: (vm) => vm.disks.flatMap((disk) => findingsOfDisk(vm, disk)),
};

function findingsOfDisk(vm: VmRecord, disk: DiskRecord): Finding[] {
  const byCode = new Map<Code, string[]>();
  for (const { code, message } of problemsOf(vm, disk)) byCode.set(code, [...(byCode.get(code) ?? []), message]);
  return [...byCode].map(([code, [first = '', ...more]]) =>
    finding(code, 'blocker', disk.label, {
      message: more.length === 0 ? first : `${first} (and ${more.length} more of the kind)`,
      remedy: REMEDIES[code].replace('LABEL', disk.label),
    }),
  );
}

function problemsOf(vm: VmRecord, disk: DiskRecord): { code: Code; message: string }[] {
  // A running VM locks its own files: that is vm.powered_on, and it ends with it.
  const told = (vm.facts.diskProblems[disk.label] ?? []).filter(
    ({ code }) => !(code === 'disk.locked' && vm.power_state === 'on'),
  );
  const raw = rawKindOf(vm, disk) !== null;
  const capacity = disk.capacity_bytes ?? 0;
  if (capacity > MAX_DISK_BYTES && !raw && !told.some(({ code }) => code === 'disk.too_large')) {
    return [
      ...told,
      { code: 'disk.too_large', message: `It has ${formatBytes(capacity)}; 62 TiB is the most on ESXi.` },
    ];
  }
  const unread = (vm.facts.diskProblems[disk.label] ?? []).length > 0 || vm.encrypted === true;
  if (disk.kind === null && !unread) {
    return [{ code: 'disk.unsupported', message: 'Its extents are of a form that cannot be copied.' }];
  }
  return told;
}
