import { finding, type FindingRule } from './finding.js';

/** Guests that OpenStack clouds do not run, by vSphere's word (VirtualMachineGuestOsIdentifier). */
const UNSUPPORTED: readonly { guest: RegExp; what: string }[] = [
  { guest: /^darwin/i, what: 'macOS, which its licence ties to hardware of Apple' },
  { guest: /^vmkernel/i, what: 'ESXi itself, which has no drivers for the devices of an OpenStack server' },
  { guest: /^crx/i, what: 'a pod of vSphere, which runs on ESXi only' },
  { guest: /^(?:netware|os2|eComStation|unixWare|openServer)/i, what: 'a system without drivers for virtio' },
];

export const guest: FindingRule = {
  codes: ['vm.guest_unsupported', 'vm.windows_drivers'],
  explains: {
    'vm.guest_unsupported': {
      title: 'OpenStack clouds do not run this guest',
      severity: 'warning',
      explains: 'Such are macOS, ESXi itself, pods of vSphere, and systems without drivers for a KVM machine.',
      remedy: 'Leave it where it is, or move its service to a system that runs on KVM.',
    },
    'vm.windows_drivers': {
      title: 'it is Windows',
      severity: 'warning',
      explains: 'Without virtio drivers Windows stops with INACCESSIBLE_BOOT_DEVICE.',
      remedy: 'Install the virtio-win drivers (vioscsi, NetKVM) in the guest before the move.',
    },
  },
  advice: {
    'vm.guest_unsupported': 'OpenStack clouds do not run this guest',
    'vm.windows_drivers': 'check its virtio drivers',
  },
  find: ({ guest_id }) => {
    const word = guest_id ?? '';
    const unsupported = UNSUPPORTED.find((item) => item.guest.test(word));
    if (unsupported) {
      return [
        finding('vm.guest_unsupported', 'warning', 'vm', {
          message: `The guest (${word}) is ${unsupported.what}; OpenStack clouds do not run it.`,
          remedy:
            'Leave it where it is, or move its data or service to a system that runs on KVM. If guest_id is wrong, correct the guest OS in the settings of the VM.',
        }),
      ];
    }
    if (!/^win/i.test(word)) return [];
    return [
      finding('vm.windows_drivers', 'warning', 'vm', {
        message: `The guest is Windows (${word}); without virtio drivers it stops with INACCESSIBLE_BOOT_DEVICE.`,
        remedy:
          'Install the virtio-win drivers in the guest before the move (vioscsi for the disks, NetKVM for the network); hw_disk_bus=scsi, hw_scsi_model=virtio-scsi and hw_vif_model=virtio are set on the image.',
      }),
    ];
  },
};
