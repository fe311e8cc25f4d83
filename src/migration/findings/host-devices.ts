import { finding, type FindingRule } from './finding.js';

/** Devices of the host that are handed through to the guest. They stay behind with the host. */
export const hostDevices: FindingRule = {
  codes: ['device.pci_passthrough', 'device.vgpu', 'device.usb', 'device.serial_parallel'],
  explains: {
    'device.pci_passthrough': {
      title: 'a PCI device of the host',
      severity: 'warning',
      explains: 'The server comes without it.',
      remedy: 'Choose a flavor with such a device (`pci_passthrough:alias`): `--flavor`.',
    },
    'device.vgpu': {
      title: 'a virtual GPU',
      severity: 'warning',
      explains: 'The server comes without it.',
      remedy: 'Choose a flavor with a vGPU (`resources:VGPU=1`; SCS names with `_g`): `--flavor`.',
    },
    'device.usb': {
      title: 'a USB device of the host',
      severity: 'warning',
      explains: 'OpenStack cannot attach such devices.',
      remedy: 'Reach it over the network, or get a licence key as a file.',
    },
    'device.serial_parallel': {
      title: 'a serial or parallel port',
      severity: 'warning',
      explains: 'The server has only the serial console that OpenStack gives it.',
      remedy: 'Reach the device over the network; a console is `openstack console log show SERVER`.',
    },
  },
  find: ({ facts }) => [
    ...facts.pciPassthrough.map((label) =>
      finding('device.pci_passthrough', 'warning', label, {
        message: 'It is a PCI device of the host that is passed through; the server comes without it.',
        remedy:
          'Ask the cloud for a flavor with such a device (pci_passthrough:alias among its properties; SCS names with _G are GPUs) and choose it with --flavor.',
      }),
    ),
    ...facts.vgpus.map((label) =>
      finding('device.vgpu', 'warning', label, {
        message: 'It is a virtual GPU; the server comes without it.',
        remedy:
          'Ask the cloud for a flavor with a vGPU (resources:VGPU=1 among its properties; SCS names with _g) and choose it with --flavor. Its driver and licence are set up anew in the guest.',
      }),
    ),
    ...facts.usbDevices.map((label) =>
      finding('device.usb', 'warning', label, {
        message: 'It is a USB device of the host that is passed through; OpenStack cannot attach such devices.',
        remedy: 'Reach it over the network (a USB device server), or get what it stands for, a licence key, as a file.',
      }),
    ),
    ...facts.serialParallel.map((label) =>
      finding('device.serial_parallel', 'warning', label, {
        message: `It is a ${label.startsWith('parallel') ? 'parallel' : 'serial'} port; the server has only the serial console that OpenStack gives it.`,
        remedy:
          'If the guest speaks to a device on it, reach that over the network (a serial device server). If it is the console, it is ttyS0 on the server as well: openstack console log show SERVER',
      }),
    ),
  ],
};
