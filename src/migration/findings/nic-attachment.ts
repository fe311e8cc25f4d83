import { finding, type FindingRule } from './finding.js';

/** VLAN id of a port group that passes all VLANs on to the guest, with their tags. */
const TRUNK = 4095;

/** How a NIC hangs on its port group. */
export const nicAttachment: FindingRule = {
  codes: ['nic.trunk', 'nic.promiscuous', 'nic.disconnected'],
  explains: {
    'nic.trunk': {
      title: 'its port group is a trunk (VLAN 4095)',
      severity: 'warning',
      explains: 'The guest gets the frames of all VLANs; a Neutron port carries one network.',
      remedy: 'Give the server a trunk with a subport a VLAN: `openstack network trunk create`.',
    },
    'nic.promiscuous': {
      title: 'its port group allows promiscuous mode',
      severity: 'warning',
      explains: 'The guest can see frames of others; a Neutron port never shows these.',
      remedy:
        'A guest that sends from other addresses: `openstack port set --allowed-address ip-address=ADDRESS PORT`.',
    },
    'nic.disconnected': {
      title: 'not connected at power-on',
      severity: 'warning',
      explains: 'The port of the server will be connected.',
      remedy: '`openstack port set --disable PORT`',
    },
  },
  find: ({ nics, facts }) =>
    nics.flatMap(({ label, network, vlan_id }) => [
      ...(vlan_id === TRUNK
        ? [
            finding('nic.trunk', 'warning', label, {
              message: `Its port group "${network ?? ''}" is a trunk (VLAN ${TRUNK}): the guest gets the frames of all VLANs with their tags.`,
              remedy:
                'A Neutron port carries one network. Give the server a trunk with a subport for each VLAN: openstack network trunk create --parent-port PORT --subport port=PORT2,segmentation-type=vlan,segmentation-id=VLAN NAME',
            }),
          ]
        : []),
      ...(facts.promiscuousNics.includes(label)
        ? [
            finding('nic.promiscuous', 'warning', label, {
              message: `Its port group "${network ?? ''}" allows promiscuous mode: the guest can see frames of others. A Neutron port never shows these.`,
              remedy:
                'Most guests do not need it. One that sends from other addresses (router, cluster, containers) does: openstack port set --allowed-address ip-address=ADDRESS PORT, or for all: openstack port set --no-security-group --disable-port-security PORT. To listen to others needs a mirror (Neutron tap-as-a-service).',
            }),
          ]
        : []),
      ...(facts.startDisconnectedNics.includes(label)
        ? [
            finding('nic.disconnected', 'warning', label, {
              message: 'It is not connected at power-on; the port of the server will be.',
              remedy: 'Take the port down when it is there: openstack port set --disable PORT',
            }),
          ]
        : []),
    ]),
};
