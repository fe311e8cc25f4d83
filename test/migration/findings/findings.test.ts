import { describe, expect, it } from 'vitest';
import type { Inventory, VmRecord } from '../../../src/esxi/index.js';
import { findingRules, findingsOf, type Finding } from '../../../src/migration/findings/index.js';
import { disk, inventory, nic, vm, type VmChanges } from '../sample-vm.js';

const GIB = 1024 ** 3;
const TIB = 1024 ** 4;

function look(changes: VmChanges, others: VmRecord[] = [], host: Partial<Inventory> = {}): Finding[] {
  const subject = vm(changes);
  return findingsOf(subject, inventory([subject, ...others], host));
}

/** `code severity subject`, the part of a finding that programs read. */
function brief(findings: readonly Finding[]): string[] {
  return findings.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`);
}

describe('the list of rules', () => {
  it('gives every code to one rule only', () => {
    const codes = findingRules.flatMap((rule) => rule.codes);
    expect(codes).toHaveLength(new Set(codes).size);
  });

  it('covers the codes of the source side', () => {
    const contract = [
      'vm.powered_on vm.suspended vm.snapshots vm.encrypted vm.vtpm vm.secure_boot vm.efi vm.template',
      'vm.fault_tolerance vm.duplicate_name vm.no_disk vm.no_nic vm.tools_missing vm.guest_unsupported',
      'vm.windows_drivers vm.old_hardware vm.cpu_hotplug vm.latency_sensitivity vm.consolidation_needed',
      'vm.question_pending disk.rdm_physical disk.rdm_virtual disk.independent disk.nonpersistent disk.shared',
      'disk.missing disk.chain_broken disk.locked disk.too_large disk.odd_size disk.other_datastore disk.nvme',
      'disk.enable_uuid nic.passthrough nic.trunk nic.promiscuous nic.legacy_model nic.disconnected nic.static_mac',
      'device.pci_passthrough device.usb device.serial_parallel device.cdrom_attached device.vgpu',
    ].flatMap((line) => line.split(' '));
    const own = ['disk.bad_descriptor', 'disk.size_unknown', 'disk.unsupported'];
    expect(findingRules.flatMap((rule) => rule.codes).sort()).toEqual([...contract, ...own].sort());
  });

  it('advises only on its own codes', () => {
    for (const rule of findingRules) {
      for (const code of Object.keys(rule.advice ?? {})) expect(rule.codes).toContain(code);
    }
  });
});

describe('a healthy VM', () => {
  it('has no finding', () => {
    expect(look({})).toEqual([]);
  });

  it('has none either where the host says little', () => {
    const facts = { toolsRunning: null, toolsInstalled: null, vmxDatastore: null, diskDatastores: {} };
    const unknown = { uuid: null, guest_id: null, hardware_version: null, firmware: null, cpus: null } as const;
    const nics = [nic({ model: null, mac: null, network: null, vlan_id: null, connected: null })];
    expect(
      look({ ...unknown, power_state: null, secure_boot: null, vtpm: null, encrypted: null, nics, facts }),
    ).toEqual([]);
  });

  it.each([
    'windows9_64Guest',
    'win2000ServGuest',
    'rhel9_64Guest',
    'freebsd13_64Guest',
    'solaris11_64Guest',
    'dosGuest',
  ])('has no blocker whatever its guest is: %s', (guest_id) =>
    expect(look({ guest_id }).filter(({ severity }) => severity === 'blocker')).toEqual([]),
  );
});

/** What is changed on a healthy VM, and all that must be found then. */
const cases: [string, VmChanges, string[]][] = [
  ['running', { power_state: 'on', facts: { toolsRunning: true } }, ['vm.powered_on blocker vm']],
  ['suspended', { power_state: 'suspended' }, ['vm.suspended blocker vm']],
  [
    'running, Tools not installed',
    { power_state: 'on', facts: { toolsRunning: false, toolsInstalled: false } },
    ['vm.powered_on blocker vm', 'vm.tools_missing warning vm'],
  ],
  [
    'running, Tools installed and stopped',
    { power_state: 'on', facts: { toolsRunning: false, toolsInstalled: true } },
    ['vm.powered_on blocker vm', 'vm.tools_missing warning vm'],
  ],
  [
    'running, only known that none are installed',
    { power_state: 'on', facts: { toolsRunning: null, toolsInstalled: false } },
    ['vm.powered_on blocker vm', 'vm.tools_missing warning vm'],
  ],
  [
    'running, Tools unknown',
    { power_state: 'on', facts: { toolsRunning: null, toolsInstalled: null } },
    ['vm.powered_on blocker vm'],
  ],
  ['off without Tools', { facts: { toolsRunning: false, toolsInstalled: false } }, []],
  ['with a question', { facts: { questionPending: true } }, ['vm.question_pending blocker vm']],
  ['encrypted', { encrypted: true }, ['vm.encrypted blocker vm']],
  [
    'encrypted as a whole: what is hidden is not called missing',
    { encrypted: true, firmware: null, disks: [], nics: [] },
    ['vm.encrypted blocker vm'],
  ],
  ['without disk and NIC', { disks: [], nics: [] }, ['vm.no_disk blocker vm', 'vm.no_nic warning vm']],
  ['Windows', { guest_id: 'windows2019srv_64Guest' }, ['vm.windows_drivers warning vm']],
  ['old Windows', { guest_id: 'winXPProGuest' }, ['vm.windows_drivers warning vm']],
  ['macOS: darwin has "win" in it', { guest_id: 'darwin19_64Guest' }, ['vm.guest_unsupported warning vm']],
  ['nested ESXi', { guest_id: 'vmkernel7Guest' }, ['vm.guest_unsupported warning vm']],
  ['with snapshots', { snapshots: 2 }, ['vm.snapshots warning vm']],
  ['to be consolidated', { facts: { consolidationNeeded: true } }, ['vm.consolidation_needed warning vm']],
  ['EFI', { firmware: 'efi' }, ['vm.efi warning vm']],
  ['EFI, secure boot', { firmware: 'efi', secure_boot: true }, ['vm.efi warning vm', 'vm.secure_boot info vm']],
  ['BIOS with a left-over secure boot key', { secure_boot: true }, []],
  ['with a vTPM', { vtpm: true }, ['vm.vtpm warning vm']],
  ['a template', { facts: { template: true } }, ['vm.template warning vm']],
  ['fault tolerant', { facts: { faultTolerance: true } }, ['vm.fault_tolerance warning vm']],
  ['of version 7', { hardware_version: 'vmx-07' }, ['vm.old_hardware warning vm']],
  ['of version 4', { hardware_version: 'vmx-4' }, ['vm.old_hardware warning vm']],
  ['of version 8', { hardware_version: 'vmx-08' }, []],
  ['of version 21', { hardware_version: 'vmx-21' }, []],
  ['with CPU hot-add', { facts: { cpuHotAdd: true } }, ['vm.cpu_hotplug info vm']],
  ['with memory hot-add', { facts: { memoryHotAdd: true } }, ['vm.cpu_hotplug info vm']],
  ['latency sensitive', { facts: { latencySensitivity: 'high' } }, ['vm.latency_sensitivity warning vm']],
  ['of normal latency', { facts: { latencySensitivity: 'normal' } }, []],
  ['of low latency sensitivity', { facts: { latencySensitivity: 'low' } }, []],
  ['with disk.EnableUUID', { facts: { diskEnableUuid: true } }, ['disk.enable_uuid warning vm']],

  ['physical RDM', { disks: [disk({ kind: 'rdm_physical' })] }, ['disk.rdm_physical blocker scsi0:0']],
  ['virtual RDM', { disks: [disk({ kind: 'rdm_virtual' })] }, ['disk.rdm_virtual blocker scsi0:0']],
  ['independent', { disks: [disk({ mode: 'independent_persistent' })] }, ['disk.independent info scsi0:0']],
  ['non-persistent', { disks: [disk({ mode: 'nonpersistent' })] }, ['disk.nonpersistent warning scsi0:0']],
  [
    'independent and non-persistent is not independent and persistent',
    { disks: [disk({ mode: 'independent_nonpersistent' })] },
    ['disk.nonpersistent warning scsi0:0'],
  ],
  ['old modes', { disks: [disk({ mode: 'undoable' }), disk({ label: 'scsi0:1', mode: 'append' })] }, []],
  ['shared', { disks: [disk({ shared: true })] }, ['disk.shared warning scsi0:0']],
  ['NVMe', { disks: [disk({ label: 'nvme0:0', controller: 'nvme' })] }, ['disk.nvme warning nvme0:0']],
  ['odd size', { disks: [disk({ capacity_bytes: 40 * GIB + 512 })] }, ['disk.odd_size info scsi0:0']],
  ['size not known', { disks: [disk({ capacity_bytes: null })] }, ['disk.size_unknown blocker scsi0:0']],
  [
    'size not known, encrypted',
    { disks: [disk({ capacity_bytes: null })], encrypted: true },
    ['vm.encrypted blocker vm'],
  ],
  ['62 TiB', { disks: [disk({ capacity_bytes: 62 * TIB })] }, []],
  ['63 TiB', { disks: [disk({ capacity_bytes: 63 * TIB })] }, ['disk.too_large blocker scsi0:0']],
  [
    'a raw device of 63 TiB',
    { disks: [disk({ kind: 'rdm_physical', capacity_bytes: 63 * TIB })] },
    ['disk.rdm_physical blocker scsi0:0'],
  ],
  ['of unknown form', { disks: [disk({ kind: null })] }, ['disk.unsupported blocker scsi0:0']],
  ['of hidden form', { encrypted: true, disks: [disk({ kind: null })] }, ['vm.encrypted blocker vm']],
  [
    'elsewhere',
    {
      disks: [disk({ label: 'scsi0:1', path: '[fast] web01/web01_1.vmdk' })],
      facts: { diskDatastores: { 'scsi0:1': 'fast' } },
    },
    ['disk.other_datastore info scsi0:1'],
  ],
  [
    'base elsewhere',
    { disks: [disk({ chain: ['[fast] base/base.vmdk', '[datastore1] web01/web01.vmdk'] })] },
    ['disk.other_datastore info scsi0:0'],
  ],
  [
    'a datastore whose name begins the same',
    {
      disks: [disk({ path: '[datastore10] web01/web01.vmdk' })],
      facts: { diskDatastores: { 'scsi0:0': 'datastore10' } },
    },
    ['disk.other_datastore info scsi0:0'],
  ],

  ['SR-IOV', { nics: [nic({ model: 'sriov' })] }, ['nic.passthrough warning ethernet0']],
  ['RDMA', { nics: [nic({ model: 'pvrdma' })] }, ['nic.passthrough warning ethernet0']],
  ['vlance', { nics: [nic({ model: 'vlance' })] }, ['nic.legacy_model warning ethernet0']],
  ['flexible', { nics: [nic({ model: 'flexible' })] }, ['nic.legacy_model warning ethernet0']],
  ['e1000', { nics: [nic({ model: 'e1000' }), nic({ label: 'ethernet1', model: 'e1000e' })] }, []],
  ['trunk', { nics: [nic({ vlan_id: 4095 })] }, ['nic.trunk warning ethernet0']],
  ['VLAN 4094', { nics: [nic({ vlan_id: 4094 })] }, []],
  ['not connected', { facts: { startDisconnectedNics: ['ethernet0'] } }, ['nic.disconnected warning ethernet0']],
  ['running and unplugged just now', { nics: [nic({ connected: false })] }, []],
  ['promiscuous', { facts: { promiscuousNics: ['ethernet0'] } }, ['nic.promiscuous warning ethernet0']],
  ['MAC by hand', { facts: { staticMacs: ['ethernet0'] } }, ['nic.static_mac info ethernet0']],
  [
    'the second of two NICs',
    {
      nics: [nic(), nic({ label: 'ethernet1', vlan_id: 4095 })],
      facts: { promiscuousNics: ['ethernet1'], staticMacs: ['ethernet1'] },
    },
    ['nic.trunk warning ethernet1', 'nic.promiscuous warning ethernet1', 'nic.static_mac info ethernet1'],
  ],

  [
    'PCI devices',
    { facts: { pciPassthrough: ['pciPassthru0', 'pciPassthru2'] } },
    ['device.pci_passthrough warning pciPassthru0', 'device.pci_passthrough warning pciPassthru2'],
  ],
  ['vGPU', { facts: { vgpus: ['pciPassthru1'] } }, ['device.vgpu warning pciPassthru1']],
  ['USB', { facts: { usbDevices: ['usb.autoConnect.device0'] } }, ['device.usb warning usb.autoConnect.device0']],
  [
    'ports',
    { facts: { serialParallel: ['serial0', 'parallel0'] } },
    ['device.serial_parallel warning serial0', 'device.serial_parallel warning parallel0'],
  ],
  [
    'CD and floppy',
    { facts: { connectedRemovable: ['ide1:0', 'floppy0'] } },
    ['device.cdrom_attached info ide1:0', 'device.cdrom_attached info floppy0'],
  ],
];

describe('each finding', () => {
  it.each(cases)('%s', (_, changes, expected) => {
    expect(brief(look(changes))).toEqual(expected);
  });

  it('has a message and a remedy that are sentences, and the contract’s five fields', () => {
    const all = cases.flatMap(([, changes]) => look(changes));
    expect(new Set(all.map(({ code }) => code)).size).toBeGreaterThan(35);
    for (const item of all) {
      expect(Object.keys(item)).toEqual(['code', 'severity', 'subject', 'message', 'remedy']);
      const said = findingRules.find(({ codes }) => codes.includes(item.code))?.explains[item.code];
      expect(said?.severity.split(/\W+/), item.code).toContain(item.severity);
      expect(item.message).toMatch(/^[A-Z].{15,}[.]$/s);
      expect(item.remedy.length).toBeGreaterThan(30);
      expect(`${item.message} ${item.remedy}`).not.toMatch(/undefined|null|NaN|\[object|stackferry prep/);
    }
  });

  it('gives remedies that can be typed: ids, labels, properties of the image', () => {
    const remedy = (changes: VmChanges) => look(changes)[0]?.remedy;
    expect(remedy({ id: '77', power_state: 'on' })).toContain('vim-cmd vmsvc/power.shutdown 77');
    expect(remedy({ power_state: 'on' })).toContain('--power-off');
    expect(remedy({ firmware: 'efi' })).toContain('hw_firmware_type=uefi and hw_machine_type=q35');
    expect(remedy({ firmware: 'efi', guest_id: 'arm-ubuntu-64' })).toContain('hw_machine_type=virt');
    expect(remedy({ firmware: 'efi', guest_id: 'arm-ubuntu-64' })).toContain('BOOTAA64.EFI');
    expect(remedy({ vtpm: true })).toContain('hw_tpm_version=2.0');
    expect(remedy({ disks: [disk({ label: 'scsi1:3', kind: 'rdm_physical' })] })).toContain('--skip-disk scsi1:3');
  });
});

describe('vm.duplicate_name', () => {
  it('is told of both twins, with the id of the other', () => {
    const [one, two] = [vm({ id: '3' }), vm({ id: '9' })];
    const host = inventory([one, two, vm({ id: '10', name: 'Web01' })]);
    const [first] = findingsOf(one, host);
    const [second] = findingsOf(two, host);
    expect([first?.code, second?.code]).toEqual(['vm.duplicate_name', 'vm.duplicate_name']);
    expect(first?.message).toContain('id:9');
    expect(first?.remedy).toContain('--vm id:3');
    expect(second?.message).toContain('id:3');
  });

  it('counts a twin that could not be read', () => {
    const skipped = [{ id: '4', name: 'web01', reason: 'no .vmx' }];
    expect(brief(look({}, [], { skipped }))).toEqual(['vm.duplicate_name warning vm']);
  });

  it('is not told of the VM itself', () => {
    expect(look({}, [vm({ id: '13', name: 'web02' })])).toEqual([]);
  });
});

describe('disk.shared', () => {
  const shared = [disk({ shared: true, path: '[datastore1] cluster/quorum.vmdk' })];

  it('blocks while another VM that uses the disk runs', () => {
    const [found] = look({ disks: shared }, [vm({ id: '13', name: 'node2', disks: shared, power_state: 'on' })]);
    expect(found).toMatchObject({ code: 'disk.shared', severity: 'blocker', subject: 'scsi0:0' });
    expect(found?.remedy).toContain('node2 (id:13)');
  });

  it('names the others where all are off', () => {
    const [found] = look({ disks: shared }, [
      vm({ id: '13', name: 'node2', disks: shared }),
      vm({ id: '14', name: 'mail01', power_state: 'on' }),
    ]);
    expect(found).toMatchObject({ code: 'disk.shared', severity: 'warning' });
    expect(found?.message).toContain('node2 (id:13)');
    expect(found?.message).not.toContain('mail01');
  });

  it('does not take two disks without a path for one', () => {
    const pathless = [disk({ shared: true, path: null, chain: [] })];
    const [found] = look({ disks: pathless }, [vm({ id: '13', name: 'node2', disks: pathless, power_state: 'on' })]);
    expect(found).toMatchObject({ code: 'disk.shared', severity: 'warning' });
  });
});

describe('what is wrong with the files of a disk', () => {
  it.each(['disk.missing', 'disk.chain_broken', 'disk.locked', 'disk.bad_descriptor', 'disk.too_large'] as const)(
    '%s blocks, with the words of who read it',
    (code) => {
      const facts = { diskProblems: { 'scsi0:0': [{ code, message: 'The extent [datastore1] x.vmdk is so.' }] } };
      expect(look({ facts })).toEqual([
        expect.objectContaining({
          code,
          severity: 'blocker',
          subject: 'scsi0:0',
          message: 'The extent [datastore1] x.vmdk is so.',
        }),
      ]);
    },
  );

  it('makes one finding of several problems of a kind', () => {
    const missing = (n: number) => ({ code: 'disk.missing' as const, message: `The extent s00${n} is not there.` });
    const facts = {
      diskProblems: {
        'scsi0:0': [missing(1), { code: 'disk.bad_descriptor' as const, message: 'It lies.' }, missing(2), missing(3)],
      },
    };
    expect(look({ facts }).map(({ code, message }) => [code, message])).toEqual([
      ['disk.missing', 'The extent s001 is not there. (and 2 more of the kind)'],
      ['disk.bad_descriptor', 'It lies.'],
    ]);
  });

  it('does not hold the lock of a running VM against it', () => {
    const facts = {
      toolsRunning: true,
      diskProblems: { 'scsi0:0': [{ code: 'disk.locked' as const, message: 'It is locked.' }] },
    };
    const locked = disk({ kind: null });
    expect(brief(look({ power_state: 'on', disks: [locked], facts }))).toEqual(['vm.powered_on blocker vm']);
    expect(brief(look({ disks: [locked], facts }))).toEqual(['disk.locked blocker scsi0:0']);
  });

  it('says too_large once, and nothing of the odd size of a disk that lies', () => {
    const facts = { diskProblems: { 'scsi0:0': [{ code: 'disk.too_large' as const, message: 'Too large.' }] } };
    const disks = [disk({ capacity_bytes: 70 * TIB + 512 })];
    expect(brief(look({ disks, facts }))).toEqual(['disk.too_large blocker scsi0:0']);
  });
});

it('says how large a volume of an odd size becomes', () => {
  expect(look({ disks: [disk({ capacity_bytes: 10 * GIB + 1 })] })[0]?.message).toContain('the volume gets 11 GiB');
  expect(look({ disks: [disk({ capacity_bytes: 512 })] })[0]?.message).toContain('the volume gets 1 GiB');
});
