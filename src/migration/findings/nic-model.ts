import { finding, type FindingRule } from './finding.js';

export const nicModel: FindingRule = {
  codes: ['nic.passthrough', 'nic.legacy_model'],
  explains: {
    'nic.passthrough': {
      title: 'SR-IOV and the like',
      severity: 'warning',
      explains: 'The server gets an ordinary virtio port.',
      remedy: 'Where the cloud offers it: `openstack port create --vnic-type direct --network NETWORK NAME`.',
    },
    'nic.legacy_model': {
      title: 'vlance or flexible',
      severity: 'warning',
      explains: 'OpenStack does not have the model; the guest may be too old for virtio.',
      remedy: 'A guest without virtio_net: `openstack image set --property hw_vif_model=e1000 IMAGE`.',
    },
  },
  find: ({ nics }) =>
    nics.flatMap(({ label, model }) => {
      switch (model) {
        case 'sriov':
        case 'pvrdma':
          return finding('nic.passthrough', 'warning', label, {
            message: `It is ${model === 'sriov' ? 'an SR-IOV function' : 'a paravirtual RDMA adapter'}; the server gets an ordinary virtio port.`,
            remedy:
              'Where the cloud offers SR-IOV, give the server such a port when it is there: openstack port create --vnic-type direct --network NETWORK NAME, then openstack server add port SERVER PORT. Else see that the guest has virtio_net.',
          });
        case 'vlance':
        case 'flexible':
          return finding('nic.legacy_model', 'warning', label, {
            message: `Its model is ${model}, which OpenStack does not have; the guest may be too old for virtio.`,
            remedy:
              'hw_vif_model=virtio is set on the image. A guest without virtio_net gets another model before the server is made: openstack image set --property hw_vif_model=e1000 IMAGE (or pcnet, where the cloud allows it).',
          });
        default:
          return [];
      }
    }),
};
