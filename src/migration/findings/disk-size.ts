import { GIB, ceilGib } from '../../core/index.js';
import { finding, type FindingRule } from './finding.js';

/** Cinder counts in whole GiB. A size that lies (see disk-files.ts) is not worth a word here. */
export const diskSize: FindingRule = {
  codes: ['disk.odd_size'],
  explains: {
    'disk.odd_size': {
      title: 'not a whole number of GiB',
      severity: 'info',
      explains: 'Cinder counts in GiB: the volume gets larger.',
      remedy: 'The guest may use the space behind its partitions (growpart; GPT: `sgdisk -e`).',
    },
  },
  find: ({ disks, facts }) =>
    disks.flatMap(({ label, capacity_bytes }) => {
      const lies = (facts.diskProblems[label] ?? []).some(
        ({ code }) => code === 'disk.bad_descriptor' || code === 'disk.too_large',
      );
      if (capacity_bytes === null || capacity_bytes % GIB === 0 || lies) return [];
      const size = ceilGib(capacity_bytes);
      return finding('disk.odd_size', 'info', label, {
        message: `It has ${capacity_bytes} bytes, which is not a whole number of GiB; the volume gets ${size} GiB.`,
        remedy:
          'Nothing has to be done: the guest sees free space behind its partitions and may use it (growpart). On a GPT disk sgdisk -e moves the backup table to the new end.',
      });
    }),
};
