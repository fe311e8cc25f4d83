import { finding, type FindingRule } from './finding.js';

/** Every link of a disk's chain counts: a snapshot may lie elsewhere than its base. */
export const diskPlace: FindingRule = {
  codes: ['disk.other_datastore'],
  explains: {
    'disk.other_datastore': {
      title: 'the disk lies on another datastore',
      severity: 'info',
      explains: 'In whole or in part not on that of the .vmx; each file is read from where it lies.',
      remedy: 'Keep that datastore mounted until the copy is made.',
    },
  },
  find: ({ disks, facts: { vmxDatastore, diskDatastores } }) => {
    if (vmxDatastore === null) return [];
    const home = `[${vmxDatastore}] `;
    return disks.flatMap(({ label, path, chain }) => {
      const away = [...chain, ...(path === null ? [] : [path])].find((file) => !file.startsWith(home));
      const named = diskDatastores[label];
      if (away === undefined && (named === undefined || named === vmxDatastore)) return [];
      const where = away ?? `datastore ${named ?? ''}`;
      return finding('disk.other_datastore', 'info', label, {
        message: `It lies (at least in part) on another datastore than the VM's configuration: ${where}.`,
        remedy:
          'Nothing has to be done: each file is read from where it lies. Keep that datastore mounted until the copy is made.',
      });
    });
  },
};
