import { descriptorText, type Printed, type PrintedObject } from '../texts.js';
import { type ContractVm, disk, ethernet, expectVm, gib, nic, scsi, unknownDisk, vmxLines } from './contract-form.js';

const NET = ethernet(0, 'VM Network');

const PVSCSI: PrintedObject = {
  $: 'vim.vm.device.ParaVirtualSCSIController',
  key: 1000,
  busNumber: 0,
  sharedBus: 'noSharing',
};
const diskDevice = (fileName: string, backing: Record<string, Printed> = {}): PrintedObject => ({
  $: 'vim.vm.device.VirtualDisk',
  key: 2000,
  backing: { $: 'vim.vm.device.VirtualDisk.FlatVer2BackingInfo', fileName, diskMode: 'persistent', ...backing },
  controllerKey: 1000,
  unitNumber: 0,
  capacityInKB: 1048576,
});
const nicDevice = (number: number, backing: PrintedObject, connected = true): PrintedObject => ({
  $: 'vim.vm.device.VirtualVmxnet3',
  key: 4000 + number,
  backing,
  connectable: { $: 'vim.vm.device.VirtualDevice.ConnectInfo', startConnected: true, connected },
  addressType: 'generated',
  macAddress: `00:0c:29:aa:bb:${String(number).padStart(2, '0')}`,
});
const portGroup = (deviceName: string): PrintedObject => ({
  $: 'vim.vm.device.VirtualEthernetCard.NetworkBackingInfo',
  deviceName,
});
const dvPort = (key: string): PrintedObject => ({
  $: 'vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo',
  port: { $: 'vim.dvs.PortConnection', portgroupKey: key },
});
const seenNic = (number: number, network: string, ipAddress: string[]): PrintedObject => ({
  $: 'vim.vm.GuestInfo.NicInfo',
  network,
  ipAddress,
  macAddress: `00:0c:29:aa:bb:${String(number).padStart(2, '0')}`,
  connected: true,
  deviceConfigId: 4000 + number,
});
const TOOLS = {
  toolsStatus: 'toolsOk',
  toolsVersionStatus2: 'guestToolsCurrent',
  toolsRunningStatus: 'guestToolsRunning',
};

/** A .vmx of these bytes with one disk and one NIC. */
function encoded(
  id: number,
  name: string,
  what: string,
  vmx: Buffer,
  file: string,
  network = 'VM Network',
): ContractVm {
  const vlan = network === 'VM Network' ? 0 : null;
  return {
    id,
    name,
    what,
    folder: `vm${id}`,
    vmx,
    files: gib(file),
    expected: expectVm(id, name, {
      vmx_path: `[datastore1] vm${id}/vm${id}.vmx`,
      disks: [disk(`[datastore1] vm${id}/${file}.vmdk`)],
      nics: [nic(0, { network, vlan_id: vlan })],
    }),
  };
}

const text = (name: string, file: string, encoding: string, network = 'VM Network') =>
  vmxLines(name, ...scsi(`${file}.vmdk`), ...ethernet(0, network))
    .join('\r\n')
    .replace('UTF-8', encoding);

/** VMs that are odd in other ways than by their disks, and all that `inventory -f json` must say of them. */
export const contractMachines: ContractVm[] = [
  {
    id: 201,
    name: 'win11',
    what: 'EFI, secure boot, vTPM, Windows; its keys are in the .vmx, which is not hidden',
    vmx: vmxLines(
      'win11',
      'firmware = "efi"',
      'uefi.secureBoot.enabled = "TRUE"',
      'vtpm.present = "TRUE"',
      'cpuid.coresPerSocket = "2"',
      'ctkEnabled = "TRUE"',
      'encryption.bundle = "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/nkp/1,HMAC-SHA-256,xyz))"',
      ...scsi('win11.vmdk'),
      ...NET,
    ),
    files: gib('win11'),
    summary: { guestId: 'windows9_64Guest' },
    expected: expectVm(201, 'win11', {
      guest_id: 'windows9_64Guest',
      cores_per_socket: 2,
      firmware: 'efi',
      secure_boot: true,
      vtpm: true,
      encrypted: true,
      change_tracking: true,
      findings: [
        'vm.encrypted blocker vm',
        'vm.windows_drivers warning vm',
        'vm.efi warning vm',
        'vm.secure_boot info vm',
        'vm.vtpm warning vm',
      ],
    }),
  },
  {
    id: 202,
    name: 'sealed',
    what: 'encrypted as a whole: what is hidden is null, what the host still says is there',
    vmx: [
      '.encoding = "UTF-8"',
      'displayName = "sealed"',
      'encryption.keySafe = "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/kms/1))"',
      'encryption.data = "q83vASNFZ4k="',
    ],
    files: { 'sealed.vmdk': Buffer.from('a7f3009cd1', 'hex') },
    summary: { cpus: 4, memory: 8192 },
    devices: [PVSCSI, diskDevice('[datastore1] sealed/sealed.vmdk')],
    expected: expectVm(202, 'sealed', {
      cpus: 1,
      memory_mib: 2048,
      firmware: null,
      secure_boot: null,
      vtpm: false,
      encrypted: true,
      disks: [unknownDisk('[datastore1] sealed/sealed.vmdk', { capacity_bytes: 1024 ** 3 })],
      nics: [],
      findings: ['vm.encrypted blocker vm', 'disk.bad_descriptor blocker scsi0:0'],
    }),
  },
  {
    id: 203,
    name: 'one key',
    what: 'only a disk is encrypted',
    vmx: vmxLines('one key', ...scsi('one key.vmdk'), ...NET),
    files: gib('one key'),
    devices: [
      PVSCSI,
      diskDevice('[datastore1] one key/one key.vmdk', { keyId: { $: 'vim.encryption.CryptoKeyId', keyId: 'k1' } }),
    ],
    expected: expectVm(203, 'one key', { encrypted: true, findings: ['vm.encrypted blocker vm'] }),
  },
  {
    id: 222,
    name: 'keyless',
    what: 'encrypted, and the host has not the key: it calls the VM invalid',
    vmx: ['.encoding = "UTF-8"', 'encryption.keySafe = "vmware:key/list/x"', 'encryption.data = "q83vASNFZ4k="'],
    summary: { connectionState: 'invalid', cpus: 2, memory: 4096 },
    expected: expectVm(222, 'keyless', {
      firmware: null,
      secure_boot: null,
      vtpm: null,
      encrypted: true,
      disks: [],
      nics: [],
      findings: ['vm.encrypted blocker vm'],
    }),
  },
  {
    id: 223,
    name: 'sealed disk',
    what: 'off, one disk encrypted, which only its descriptor tells',
    vmx: vmxLines('sealed disk', ...scsi('sealed disk.vmdk'), ...NET),
    files: {
      'sealed disk.vmdk': `${descriptorText({ extents: ['RW 2097152 VMFS "sealed disk-flat.vmdk"'] })}encryptionKeys="vmware:key/list/(pair/(null/x))"\n`,
      'sealed disk-flat.vmdk': 1024 ** 3,
    },
    expected: expectVm(223, 'sealed disk', { encrypted: true, findings: ['vm.encrypted blocker vm'] }),
  },
  {
    id: 204,
    name: 'golden',
    what: 'a template',
    vmx: vmxLines('golden', ...scsi('golden.vmdk'), ...NET),
    files: gib('golden'),
    summary: { template: true },
    expected: expectVm(204, 'golden', { findings: ['vm.template warning vm'] }),
  },
  {
    id: 205,
    name: 'asleep',
    what: 'suspended',
    vmx: vmxLines('asleep', 'checkpoint.vmState = "asleep-5c2d9e1f.vmss"', ...scsi('asleep.vmdk'), ...NET),
    files: gib('asleep'),
    summary: { power: 'suspended', cpus: 2, memory: 4096 },
    expected: expectVm(205, 'asleep', { power_state: 'suspended', findings: ['vm.suspended blocker vm'] }),
  },
  {
    id: 206,
    name: 'running',
    what: 'powered on: locked files, addresses of both families on two NICs, what runs counts before the .vmx',
    vmx: vmxLines('running', ...scsi('running.vmdk'), ...NET, ...ethernet(1, 'DMZ VLAN%2f20')),
    files: gib('running'),
    summary: { power: 'poweredOn' },
    devices: [
      PVSCSI,
      diskDevice('[datastore1] running/running.vmdk'),
      nicDevice(0, portGroup('VM Network')),
      nicDevice(1, portGroup('DMZ VLAN%2f20'), false),
    ],
    guest: {
      ...TOOLS,
      net: [
        seenNic(0, 'VM Network', ['192.0.2.5', '198.51.100.7', '2001:db8::5', 'fe80::20c:29ff:feaa:bb00']),
        seenNic(1, 'DMZ VLAN%2f20', ['203.0.113.9', '2001:db8:1::9']),
      ],
    },
    expected: expectVm(206, 'running', {
      power_state: 'on',
      cpus: 1,
      memory_mib: 2048,
      nics: [
        nic(0, { ip_addresses: ['192.0.2.5', '198.51.100.7', '2001:db8::5', 'fe80::20c:29ff:feaa:bb00'] }),
        nic(1, {
          network: 'DMZ VLAN/20',
          vlan_id: 20,
          connected: false,
          ip_addresses: ['203.0.113.9', '2001:db8:1::9'],
        }),
      ],
      findings: ['vm.powered_on blocker vm'],
    }),
  },
  {
    id: 207,
    name: 'no tools',
    what: 'powered on without Tools, with a question, to be consolidated, fault tolerant',
    vmx: vmxLines('no tools', ...scsi('no tools.vmdk'), ...NET),
    files: gib('no tools'),
    summary: { power: 'poweredOn', cpus: 2, memory: 4096, question: true, consolidation: true, ft: 'running' },
    guest: { toolsStatus: 'toolsNotInstalled', toolsRunningStatus: 'guestToolsNotRunning' },
    expected: expectVm(207, 'no tools', {
      power_state: 'on',
      nics: [nic(0, { connected: null })],
      findings: [
        'vm.powered_on blocker vm',
        'vm.question_pending blocker vm',
        'vm.tools_missing warning vm',
        'vm.consolidation_needed warning vm',
        'vm.fault_tolerance warning vm',
      ],
    }),
  },
  encoded(208, 'bom', 'a .vmx with a byte-order mark', Buffer.from(`\ufeff${text('bom', 'd', 'UTF-8')}`), 'd'),
  encoded(
    209,
    'Überfall',
    'a .vmx in Latin-1',
    Buffer.from(text('Überfall', 'Größe', 'windows-1252'), 'latin1'),
    'Größe',
  ),
  encoded(210, 'wide', 'a .vmx in UTF-16', Buffer.from(`\ufeff${text('wide', 'weit', 'UTF-8')}`, 'utf16le'), 'weit'),
  encoded(
    211,
    '日本語 サーバー',
    'a VM in another language',
    Buffer.from(text('日本語 サーバー', '日本語', 'UTF-8', '内部ネット')),
    '日本語',
    '内部ネット',
  ),
  encoded(
    224,
    'ポ20',
    'a .vmx in Shift_JIS, where a character ends in the byte of a |',
    // ポ is 83 7C, and what follows looks like an escape.
    Buffer.from(text('\x83\x7c20', '\x83\x7c20', 'Shift_JIS'), 'latin1'),
    'ポ20',
  ),
  {
    id: 225,
    name: 'latin',
    what: 'a descriptor in Latin-1 that names its extent with an umlaut',
    vmx: vmxLines('latin', ...scsi('latin.vmdk'), ...NET),
    files: {
      'latin.vmdk': Buffer.from(
        descriptorText({ extents: ['RW 2097152 VMFS "für-flat.vmdk"'] }).replace('UTF-8', 'windows-1252'),
        'latin1',
      ),
      'für-flat.vmdk': 1024 ** 3,
    },
    expected: expectVm(225, 'latin'),
  },
  {
    id: 212,
    name: 'twin',
    folder: 'twin',
    what: 'one of two VMs of one name',
    vmx: vmxLines('twin', ...scsi('twin.vmdk'), ...NET),
    files: gib('twin'),
    expected: expectVm(212, 'twin', { findings: ['vm.duplicate_name warning vm'] }),
  },
  {
    id: 213,
    name: 'twin',
    folder: 'twin_1',
    what: 'the other twin',
    vmx: vmxLines('twin', ...scsi('twin.vmdk'), ...NET),
    files: gib('twin'),
    expected: expectVm(213, 'twin', {
      vmx_path: '[datastore1] twin_1/twin_1.vmx',
      disks: [disk('[datastore1] twin_1/twin.vmdk')],
      findings: ['vm.duplicate_name warning vm'],
    }),
  },
  {
    id: 214,
    name: 'bare',
    what: 'neither a NIC nor a disk',
    vmx: vmxLines('bare'),
    expected: expectVm(214, 'bare', {
      disks: [],
      nics: [],
      findings: ['vm.no_disk blocker vm', 'vm.no_nic warning vm'],
    }),
  },
  {
    id: 215,
    name: 'ten nics',
    what: 'ten NICs, in the order of their numbers',
    vmx: vmxLines(
      'ten nics',
      ...scsi('ten nics.vmdk'),
      ...[9, 3, 0, 1, 2, 8, 7, 6, 5, 4].flatMap((number) => ethernet(number, 'VM Network')),
    ),
    files: gib('ten nics'),
    expected: expectVm(215, 'ten nics', { nics: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => nic(number)) }),
  },
  {
    id: 216,
    name: 'dvs',
    what: 'ports of a distributed switch: one that Tools know by name, one that nobody does',
    vmx: vmxLines(
      'dvs',
      ...scsi('dvs.vmdk'),
      ...[0, 1].flatMap((number) => [
        `ethernet${number}.virtualDev = "vmxnet3"`,
        `ethernet${number}.dvs.switchId = "50 1c 5b 8e 8c 2a 51 3d-5c 41 b6 5d 1d 5e 61 52"`,
        `ethernet${number}.dvs.portgroupId = "dvportgroup-2${number}"`,
        `ethernet${number}.addressType = "vpx"`,
        `ethernet${number}.generatedAddress = "00:0c:29:aa:bb:0${number}"`,
        `ethernet${number}.present = "TRUE"`,
      ]),
    ),
    files: gib('dvs'),
    summary: { power: 'poweredOn' },
    devices: [
      PVSCSI,
      diskDevice('[datastore1] dvs/dvs.vmdk'),
      nicDevice(0, dvPort('dvportgroup-20')),
      nicDevice(1, dvPort('dvportgroup-21')),
    ],
    guest: { ...TOOLS, net: [seenNic(0, 'dv-prod%2f7', ['192.0.2.77'])] },
    expected: expectVm(216, 'dvs', {
      power_state: 'on',
      cpus: 1,
      memory_mib: 2048,
      nics: [
        nic(0, { network: 'dv-prod/7', vlan_id: null, ip_addresses: ['192.0.2.77'] }),
        nic(1, { network: null, vlan_id: null }),
      ],
      findings: ['vm.powered_on blocker vm'],
    }),
  },
  {
    id: 217,
    name: 'old',
    what: 'hardware of version 7, old models of NICs, a default model, an old Windows',
    vmx: vmxLines(
      'old',
      ...scsi('old.vmdk'),
      'ethernet0.present = "TRUE"',
      'ethernet0.virtualDev = "vlance"',
      'ethernet0.networkName = "VM Network"',
      'ethernet0.generatedAddress = "00:0c:29:aa:bb:00"',
      'ethernet1.present = "TRUE"',
      'ethernet1.networkName = "VM Network"',
      'ethernet1.generatedAddress = "00:0c:29:aa:bb:01"',
    )
      .join('\n')
      .replace('virtualHW.version = "19"', 'virtualHW.version = "7"')
      .replace('ubuntu-64', 'winnetstandard')
      .split('\n'),
    files: gib('old'),
    summary: { guestId: 'winNetStandardGuest' },
    expected: expectVm(217, 'old', {
      guest_id: 'winNetStandardGuest',
      hardware_version: 'vmx-07',
      nics: [nic(0, { model: 'vlance' }), nic(1, { model: 'flexible' })],
      findings: [
        'vm.windows_drivers warning vm',
        'vm.old_hardware warning vm',
        'nic.legacy_model warning ethernet0',
        'nic.legacy_model warning ethernet1',
      ],
    }),
  },
  {
    id: 218,
    name: 'router',
    what: 'a trunk that allows promiscuous mode, a NIC set by hand that starts disconnected, SR-IOV',
    vmx: vmxLines(
      'router',
      ...scsi('router.vmdk'),
      ...ethernet(0, "it's $(trunk)"),
      'ethernet1.present = "TRUE"',
      'ethernet1.virtualDev = "e1000e"',
      'ethernet1.networkName = "DMZ VLAN%2f20"',
      'ethernet1.addressType = "static"',
      'ethernet1.address = "00:50:56:3F:00:01"',
      'ethernet1.startConnected = "FALSE"',
      'pciPassthru31.present = "TRUE"',
      'pciPassthru31.networkName = "VM Network"',
      'pciPassthru31.MACAddressType = "generated"',
      'pciPassthru31.generatedMACAddress = "00:0c:29:aa:bb:31"',
    ),
    files: gib('router'),
    expected: expectVm(218, 'router', {
      nics: [
        nic(0, { network: "it's $(trunk)", vlan_id: 4095 }),
        nic(1, { model: 'e1000e', mac: '00:50:56:3f:00:01', network: 'DMZ VLAN/20', vlan_id: 20, connected: false }),
        nic(31, { label: 'pciPassthru31', model: 'sriov' }),
      ],
      findings: [
        'nic.passthrough warning pciPassthru31',
        'nic.trunk warning ethernet0',
        'nic.promiscuous warning ethernet0',
        'nic.disconnected warning ethernet1',
        'nic.static_mac info ethernet1',
      ],
    }),
  },
  {
    id: 219,
    name: 'devices',
    what: 'devices of the host, and drives: with a medium, of the host, of a client, empty',
    vmx: vmxLines(
      'devices',
      ...scsi('devices.vmdk'),
      ...NET,
      'usb.present = "TRUE"',
      'usb:0.present = "TRUE"',
      'usb:0.deviceType = "hid"',
      'usb_xhci.autoConnect.device0 = "path:1/9 version:2"',
      'serial0.present = "TRUE"',
      'serial0.fileType = "network"',
      'parallel0.present = "FALSE"',
      'pciPassthru0.present = "TRUE"',
      'pciPassthru0.id = "00000:003:00.0"',
      'pciPassthru1.present = "TRUE"',
      'pciPassthru1.vgpu = "grid_p40-2q"',
      'sata0.present = "TRUE"',
      'sata0:0.present = "TRUE"',
      'sata0:0.deviceType = "cdrom-image"',
      'sata0:0.fileName = "/vmfs/volumes/datastore1/iso/debian.iso"',
      'sata0:1.present = "TRUE"',
      'sata0:1.deviceType = "atapi-cdrom"',
      'sata0:1.fileName = "auto detect"',
      'sata0:1.autodetect = "TRUE"',
      'sata0:2.present = "TRUE"',
      'sata0:2.deviceType = "atapi-cdrom"',
      'sata0:2.clientDevice = "TRUE"',
      'sata0:2.fileName = "CD/DVD drive 1"',
      'sata0:3.present = "TRUE"',
      'sata0:3.deviceType = "cdrom-raw"',
      'sata0:3.fileName = "emptyBackingString"',
    ),
    files: gib('devices'),
    expected: expectVm(219, 'devices', {
      findings: [
        'device.pci_passthrough warning pciPassthru0',
        'device.vgpu warning pciPassthru1',
        'device.usb warning usb_xhci.autoConnect.device0',
        'device.serial_parallel warning serial0',
        'device.cdrom_attached info sata0:0',
        'device.cdrom_attached info sata0:1',
      ],
    }),
  },
  {
    id: 220,
    name: 'mac',
    what: 'macOS, hot-add, latency sensitivity, serial numbers of disks',
    vmx: vmxLines(
      'mac',
      ...scsi('mac.vmdk'),
      ...NET,
      'vcpu.hotadd = "TRUE"',
      'sched.cpu.latencySensitivity = "high"',
      'disk.EnableUUID = "TRUE"',
      'annotation = "two lines|0Aand a |22quote|22"',
    ),
    files: gib('mac'),
    summary: { guestId: 'darwin20_64Guest' },
    expected: expectVm(220, 'mac', {
      guest_id: 'darwin20_64Guest',
      annotation: 'two lines\nand a "quote"',
      findings: [
        'vm.guest_unsupported warning vm',
        'vm.cpu_hotplug info vm',
        'vm.latency_sensitivity warning vm',
        'disk.enable_uuid warning vm',
      ],
    }),
  },
  {
    id: 221,
    name: '<script>%2f"q" $(touch pwned)',
    folder: "it's; $(touch pwned)",
    what: 'a name that is no name, and a folder that is a command',
    vmx: vmxLines('x', ...scsi('-rf.vmdk'), ...NET),
    files: gib('-rf'),
    expected: expectVm(221, '<script>%2f"q" $(touch pwned)', {
      vmx_path: "[datastore1] it's; $(touch pwned)/it's; $(touch pwned).vmx",
      disks: [disk("[datastore1] it's; $(touch pwned)/-rf.vmdk")],
    }),
  },
];

/** What has to be in `skipped`, and why. */
export const contractSkipped: { vm: Omit<ContractVm, 'expected' | 'what'>; reason: RegExp }[] = [
  { vm: { id: 301, name: 'no vmx', vmx: null }, reason: /\.vmx is not there/ },
  { vm: { id: 302, name: 'empty vmx', vmx: Buffer.alloc(0) }, reason: /\.vmx is empty/ },
  { vm: { id: 303, name: 'binary vmx', vmx: Buffer.from('7f454c4602010100', 'hex') }, reason: /binary data/ },
  {
    vm: { id: 304, name: 'inaccessible', vmx: vmxLines('inaccessible'), summary: { connectionState: 'inaccessible' } },
    reason: /inaccessible/,
  },
];
