import { finding, rawKindOf, type FindingRule } from './finding.js';

/** The data of a raw device mapping lies on a LUN of the storage, not in a file of the datastore. */
export const diskRdm: FindingRule = {
  codes: ['disk.rdm_physical', 'disk.rdm_virtual'],
  explains: {
    'disk.rdm_physical': {
      title: 'a raw device in physical mode',
      severity: 'blocker',
      explains: 'Its data lies on a LUN that the host does not copy.',
      remedy:
        'Copy it in the guest, or map it in virtual mode and clone that; to move without it: `--skip-disk LABEL`.',
    },
    'disk.rdm_virtual': {
      title: 'a raw device in virtual mode',
      severity: 'blocker',
      explains: 'Its data lies on a LUN, not in a file; also where a snapshot lies over it.',
      remedy: 'Clone it to a file (`vmkfstools -i RDM.vmdk NEW.vmdk -d thin`) and give the VM the clone.',
    },
  },
  advice: { 'disk.rdm_physical': 'its disk is a raw device', 'disk.rdm_virtual': 'its disk is a raw device' },
  find: (vm) =>
    vm.disks.flatMap((disk) => {
      const { label } = disk;
      const kind = rawKindOf(vm, disk);
      if (kind === 'rdm_physical') {
        return finding('disk.rdm_physical', 'blocker', label, {
          message: 'It is a raw device mapping in physical mode: its data lies on a LUN that the host does not copy.',
          remedy: `Copy its data to an ordinary disk inside the guest, or map it anew in virtual mode and clone that (vmkfstools -i RDM.vmdk NEW.vmdk -d thin). To move the VM without it: --skip-disk ${label}.`,
        });
      }
      if (kind === 'rdm_virtual') {
        return finding('disk.rdm_virtual', 'blocker', label, {
          message: 'It is a raw device mapping in virtual mode: its data lies on a LUN, not in a file.',
          remedy: `Clone it to a file on the host (vmkfstools -i RDM.vmdk NEW.vmdk -d thin) and give the VM the clone instead. To move the VM without it: --skip-disk ${label}.`,
        });
      }
      return [];
    }),
};
