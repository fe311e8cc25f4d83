import { GIB, ceilGib } from '../../core/index.js';
import type { DiskRecord, VmRecord } from '../../esxi/index.js';
import { finding, type Finding, type FindingRule } from './finding.js';

/**
 * Cinder counts in whole GiB. A size that lies (see disk-files.ts) is not worth a word here; nor is one that is not known
 * where something else that is found says why.
 */
export const diskSize: FindingRule = {
  codes: ['disk.odd_size', 'disk.size_unknown'],
  explains: {
    'disk.odd_size': {
      title: 'not a whole number of GiB',
      severity: 'info',
      explains: 'Cinder counts in GiB: the volume gets larger.',
      remedy: 'The guest may use the space behind its partitions (growpart; GPT: `sgdisk -e`).',
    },
    'disk.size_unknown': {
      title: 'nobody knows how large the disk is',
      severity: 'blocker',
      explains: 'Neither the host nor the saved inventory says, so no volume can be made for it.',
      remedy: 'Read the host again, look at the descriptor there; to move without it: `--skip-disk LABEL`.',
    },
  },
  advice: { 'disk.size_unknown': 'the size of its disk is not known' },
  find: (vm) =>
    vm.disks.flatMap((disk) => {
      const { label, capacity_bytes } = disk;
      const { facts } = vm;
      if (capacity_bytes === null) return isExplained(vm, disk) ? [] : [unknown(label)];
      const lies = (facts.diskProblems[label] ?? []).some(
        ({ code }) => code === 'disk.bad_descriptor' || code === 'disk.too_large',
      );
      if (capacity_bytes % GIB === 0 || lies) return [];
      const size = ceilGib(capacity_bytes);
      return finding('disk.odd_size', 'info', label, {
        message: `It has ${capacity_bytes} bytes, which is not a whole number of GiB; the volume gets ${size} GiB.`,
        remedy:
          'Nothing has to be done: the guest sees free space behind its partitions and may use it (growpart). On a GPT disk sgdisk -e moves the backup table to the new end.',
      });
    }),
};

/** Whether something else that is found on the disk stands in the way already. */
function isExplained(vm: VmRecord, { label, kind }: DiskRecord): boolean {
  // A running VM locks its own files: that alone stands in nobody's way.
  const problems = (vm.facts.diskProblems[label] ?? []).filter(
    ({ code }) => !(code === 'disk.locked' && vm.power_state === 'on'),
  );
  return problems.length > 0 || vm.encrypted === true || kind === null;
}

function unknown(label: string): Finding {
  return finding('disk.size_unknown', 'blocker', label, {
    message: 'Its size is not known, so no volume can be made for it.',
    remedy: `Read the host again, and look at the descriptor of the disk there. To move the VM without it: --skip-disk ${label}.`,
  });
}
