import { descriptorText } from '../texts.js';
import {
  type ContractVm,
  DS1,
  DS2,
  DS3,
  GIB_SECTORS,
  MIB,
  disk,
  ethernet,
  expectVm,
  gib,
  link,
  nic,
  scsi,
  snapshotTree,
  unknownDisk,
  vmxLines,
} from './contract-form.js';

/** A stream-optimized file of a whole GiB with its descriptor inside (Virtual Disk Format 1.1), without any grain. */
function streamFile(sectors: number, name: string): Buffer {
  const file = Buffer.alloc(128 * 512);
  file.write('KDMV', 'latin1');
  file.writeUInt32LE(3, 4);
  file.writeUInt32LE(0x30001, 8);
  [sectors, 128, 1, 20].forEach((value, at) => file.writeBigUInt64LE(BigInt(value), 12 + at * 8));
  file.writeUInt32LE(512, 44);
  file.writeBigUInt64LE(0xffffffffffffffffn, 56);
  file.writeBigUInt64LE(128n, 64);
  file.writeUInt16LE(1, 77);
  file.write(
    descriptorText({ createType: 'streamOptimized', extents: [`RDONLY ${GIB_SECTORS} SPARSE "${name}"`] }),
    512,
  );
  return file;
}

/** The header of a vmfsSparse delta ("COWD") for so many sectors, and room for nothing. */
function cowdFile(sectors: number): Buffer {
  const file = Buffer.alloc(4096, 'x');
  file.fill(0, 0, 2048);
  file.write('COWD', 'latin1');
  [1, 3, sectors, 1, 4, Math.ceil(sectors / 4096)].forEach((value, at) => file.writeUInt32LE(value, 4 + at * 4));
  return file;
}

const NET = ethernet(0, 'VM Network');
const path = (folder: string, file: string) => `[datastore1] ${folder}/${file}.vmdk`;
const cid = (n: number) => (0x3729b687 + n).toString(16);

function deep(name: string, links: number): Record<string, string | number> {
  const file = (n: number) => (n === 0 ? name : `${name}-${String(n).padStart(6, '0')}`);
  let files = gib(name, { cid: cid(0) });
  for (let n = 1; n <= links; n++)
    files = { ...files, ...link(file(n), `${file(n - 1)}.vmdk`, cid(n), cid(n - 1), 'SESPARSE') };
  return files;
}

/** One disk `d.vmdk` whose files are wrong. */
function wrong(
  id: number,
  name: string,
  what: string,
  files: NonNullable<ContractVm['files']>,
  findings: string[],
  known: Parameters<typeof unknownDisk>[1] = {},
): ContractVm {
  return {
    id,
    name,
    what,
    vmx: vmxLines(name, ...scsi('d.vmdk'), ...NET),
    files,
    expected: expectVm(id, name, { disks: [unknownDisk(path(name, 'd'), known)], findings }),
  };
}

/** VMs whose disks are odd, and all that `inventory -f json` must say of them. */
export const contractDisks: ContractVm[] = [
  {
    id: 101,
    name: 'plain',
    what: 'a healthy VM, its .vmx as recorded ones',
    vmx: vmxLines('plain', ...scsi('plain.vmdk'), ...NET),
    files: gib('plain'),
    expected: expectVm(101, 'plain'),
  },
  {
    id: 102,
    name: 'spread',
    what: 'disks on three datastores, by UUID, by label and beside the .vmx',
    vmx: vmxLines(
      'spread',
      ...scsi(
        'spread.vmdk',
        `/vmfs/volumes/${DS2.uuid}/spread/a b.vmdk`,
        `/vmfs/volumes/${DS3.name}/sub (1)/dir/c.vmdk`,
        `[${DS3.name}] d/d.vmdk`,
      ),
      ...NET,
    ),
    files: {
      ...gib('spread'),
      ...gib(`${DS2.uuid}/spread/a b`),
      ...gib(`${DS3.uuid}/sub (1)/dir/c`),
      ...gib(`${DS3.uuid}/d/d`),
    },
    expected: expectVm(102, 'spread', {
      disks: [
        disk('[datastore1] spread/spread.vmdk'),
        disk('[größe (2) x] spread/a b.vmdk', { label: 'scsi0:1' }),
        disk('[ssd [a] (für  alle)] sub (1)/dir/c.vmdk', { label: 'scsi0:2' }),
        disk('[ssd [a] (für  alle)] d/d.vmdk', { label: 'scsi0:3' }),
      ],
      findings: [
        'disk.other_datastore info scsi0:1',
        'disk.other_datastore info scsi0:2',
        'disk.other_datastore info scsi0:3',
      ],
    }),
  },
  {
    id: 103,
    name: 'relative',
    what: 'paths through other folders',
    vmx: vmxLines(
      'relative',
      ...scsi('../shared disks/./x.vmdk', 'sub/../y.vmdk', '../../datastore1/relative/z.vmdk'),
      ...NET,
    ),
    files: { ...gib(`${DS1.uuid}/shared disks/x`), ...gib('y') },
    expected: expectVm(103, 'relative', {
      disks: [
        disk('[datastore1] shared disks/x.vmdk'),
        disk('[datastore1] relative/y.vmdk', { label: 'scsi0:1' }),
        unknownDisk(null, { label: 'scsi0:2' }),
      ],
      findings: ['disk.bad_descriptor blocker scsi0:2'],
    }),
  },
  {
    id: 104,
    name: 'new name',
    folder: 'Alter Name',
    file: 'alt',
    what: 'a renamed VM, its files under three old names',
    vmx: vmxLines('new name', ...scsi('uralt.vmdk'), ...NET),
    files: gib('uralt'),
    expected: expectVm(104, 'new name', {
      vmx_path: '[datastore1] Alter Name/alt.vmx',
      disks: [disk('[datastore1] Alter Name/uralt.vmdk')],
    }),
  },
  {
    id: 105,
    name: 'deep',
    what: 'snapshots 32 deep',
    vmx: vmxLines('deep', ...scsi('deep-000032.vmdk'), ...NET),
    files: deep('deep', 32),
    snapshots: snapshotTree(32),
    expected: expectVm(105, 'deep', {
      snapshots: 32,
      disks: [
        disk(path('deep', 'deep-000032'), {
          kind: 'se_sparse',
          allocated_bytes: 32 * 4096,
          chain: [
            path('deep', 'deep'),
            ...Array.from({ length: 32 }, (_, n) => path('deep', `deep-${String(n + 1).padStart(6, '0')}`)),
          ],
        }),
      ],
      findings: ['vm.snapshots warning vm'],
    }),
  },
  {
    id: 106,
    name: 'clone',
    what: 'a linked clone over a base of another VM on another datastore',
    vmx: vmxLines('clone', ...scsi('clone.vmdk'), ...NET),
    files: {
      ...gib(`${DS2.uuid}/gold master/gold`, { cid: cid(0) }),
      ...link('clone', `/vmfs/volumes/${DS2.uuid}/gold master/gold.vmdk`, cid(1), cid(0)),
    },
    expected: expectVm(106, 'clone', {
      disks: [
        disk(path('clone', 'clone'), {
          kind: 'vmfs_sparse',
          allocated_bytes: 4096,
          chain: ['[größe (2) x] gold master/gold.vmdk', path('clone', 'clone')],
        }),
      ],
      findings: ['disk.other_datastore info scsi0:0'],
    }),
  },
  {
    id: 107,
    name: 'rdm',
    what: 'raw device mappings: physical, virtual, and virtual below a snapshot',
    vmx: vmxLines('rdm', ...scsi('p.vmdk', 'v.vmdk', 's-000001.vmdk'), ...NET),
    files: {
      'p.vmdk': descriptorText({
        cid: 'fffffffe',
        createType: 'vmfsPassthroughRawDeviceMap',
        extents: [`RW ${GIB_SECTORS} VMFSRDM "p-rdmp.vmdk"`],
      }),
      'p-rdmp.vmdk': '',
      'v.vmdk': descriptorText({ createType: 'vmfsRawDeviceMap', extents: [`RW ${GIB_SECTORS} VMFSRDM "v-rdm.vmdk"`] }),
      'v-rdm.vmdk': '',
      's.vmdk': descriptorText({
        cid: cid(0),
        createType: 'vmfsRawDeviceMap',
        extents: [`RW ${GIB_SECTORS} VMFSRDM "s-rdm.vmdk"`],
      }),
      's-rdm.vmdk': '',
      ...link('s-000001', 's.vmdk', cid(1), cid(0)),
    },
    snapshots: snapshotTree(1),
    expected: expectVm(107, 'rdm', {
      snapshots: 1,
      disks: [
        disk(path('rdm', 'p'), { kind: 'rdm_physical' }),
        disk(path('rdm', 'v'), { label: 'scsi0:1', kind: 'rdm_virtual' }),
        disk(path('rdm', 's-000001'), {
          label: 'scsi0:2',
          kind: 'vmfs_sparse',
          allocated_bytes: 4096,
          chain: [path('rdm', 's'), path('rdm', 's-000001')],
        }),
      ],
      findings: [
        'vm.snapshots warning vm',
        'disk.rdm_physical blocker scsi0:0',
        'disk.rdm_virtual blocker scsi0:1',
        'disk.rdm_virtual blocker scsi0:2',
      ],
    }),
  },
  {
    id: 108,
    name: 'controllers',
    what: 'every controller, in the order of the contract',
    vmx: vmxLines(
      'controllers',
      'nvme0.present = "TRUE"',
      'nvme0:1.present = "TRUE"',
      'nvme0:1.fileName = "n.vmdk"',
      'sata0.present = "TRUE"',
      'sata0:2.present = "TRUE"',
      'sata0:2.fileName = "s.vmdk"',
      'scsi1.present = "TRUE"',
      'scsi1.virtualDev = "lsisas1068"',
      'scsi1:10.present = "TRUE"',
      'scsi1:10.fileName = "x10.vmdk"',
      'scsi1:9.present = "TRUE"',
      'scsi1:9.fileName = "x9.vmdk"',
      'scsi0.present = "TRUE"',
      'scsi0:0.present = "TRUE"',
      'scsi0:0.fileName = "x0.vmdk"',
      'scsi2.present = "TRUE"',
      'scsi2.virtualDev = "lsilogic"',
      'scsi2:0.present = "TRUE"',
      'scsi2:0.fileName = "l.vmdk"',
      'scsi3.present = "FALSE"',
      'scsi3:0.present = "TRUE"',
      'scsi3:0.fileName = "gone.vmdk"',
      'ide0:1.present = "TRUE"',
      'ide0:1.fileName = "i.vmdk"',
      'ide0:1.deviceType = "ata-hardDisk"',
      ...NET,
    ),
    files: {
      ...gib('n'),
      ...gib('s'),
      ...gib('x10'),
      ...gib('x9'),
      ...gib('x0', { adapter: 'buslogic' }),
      ...gib('l'),
      ...gib('i', { adapter: 'ide' }),
    },
    expected: expectVm(108, 'controllers', {
      disks: [
        disk(path('controllers', 'i'), { label: 'ide0:1', controller: 'ide' }),
        disk(path('controllers', 'x0'), { label: 'scsi0:0', controller: 'buslogic' }),
        disk(path('controllers', 'x9'), { label: 'scsi1:9', controller: 'lsisas1068' }),
        disk(path('controllers', 'x10'), { label: 'scsi1:10', controller: 'lsisas1068' }),
        disk(path('controllers', 'l'), { label: 'scsi2:0', controller: 'lsilogic' }),
        disk(path('controllers', 's'), { label: 'sata0:2', controller: 'ahci' }),
        disk(path('controllers', 'n'), { label: 'nvme0:1', controller: 'nvme' }),
      ],
      findings: ['disk.nvme warning nvme0:1'],
    }),
  },
  {
    id: 109,
    name: 'modes',
    what: 'every mode of a disk',
    vmx: vmxLines(
      'modes',
      ...scsi('a.vmdk', 'b.vmdk', 'c.vmdk', 'd.vmdk', 'e.vmdk'),
      'scsi0:0.mode = "independent-persistent"',
      'scsi0:1.mode = "independent-nonpersistent"',
      'scsi0:2.mode = "nonpersistent"',
      'scsi0:3.mode = "undoable"',
      'scsi0:4.mode = "append"',
      ...NET,
    ),
    files: { ...gib('a'), ...gib('b'), ...gib('c'), ...gib('d'), ...gib('e') },
    expected: expectVm(109, 'modes', {
      disks: [
        disk(path('modes', 'a'), { mode: 'independent_persistent' }),
        disk(path('modes', 'b'), { label: 'scsi0:1', mode: 'independent_nonpersistent' }),
        disk(path('modes', 'c'), { label: 'scsi0:2', mode: 'nonpersistent' }),
        disk(path('modes', 'd'), { label: 'scsi0:3', mode: 'undoable' }),
        disk(path('modes', 'e'), { label: 'scsi0:4', mode: 'append' }),
      ],
      findings: [
        'disk.independent info scsi0:0',
        'disk.nonpersistent warning scsi0:1',
        'disk.nonpersistent warning scsi0:2',
      ],
    }),
  },
  {
    id: 110,
    name: 'node1',
    what: 'a multi-writer disk, and a shared bus',
    vmx: vmxLines(
      'node1',
      ...scsi('node1.vmdk', 'quorum.vmdk'),
      'scsi0:1.sharing = "multi-writer"',
      'scsi1.present = "TRUE"',
      'scsi1.virtualDev = "lsisas1068"',
      'scsi1.sharedBus = "physical"',
      'scsi1:0.present = "TRUE"',
      'scsi1:0.fileName = "bus.vmdk"',
      ...NET,
    ),
    files: { ...gib('node1'), ...gib('quorum'), ...gib('bus') },
    expected: expectVm(110, 'node1', {
      disks: [
        disk(path('node1', 'node1')),
        disk(path('node1', 'quorum'), { label: 'scsi0:1', shared: true }),
        disk(path('node1', 'bus'), { label: 'scsi1:0', controller: 'lsisas1068', shared: true }),
      ],
      findings: ['disk.shared warning scsi0:1', 'disk.shared warning scsi1:0'],
    }),
  },
  {
    id: 111,
    name: 'odd size',
    what: 'a capacity that is no whole GiB, and an extent that holds data',
    vmx: vmxLines('odd size', ...scsi('odd size.vmdk'), ...NET),
    files: {
      'odd size.vmdk': descriptorText({ extents: ['RW 16 VMFS "odd size-flat.vmdk"'] }),
      'odd size-flat.vmdk': 'x'.repeat(8192),
    },
    expected: expectVm(111, 'odd size', {
      disks: [disk(path('odd size', 'odd size'), { capacity_bytes: 8192, allocated_bytes: 8192 })],
      findings: ['disk.odd_size info scsi0:0'],
    }),
  },
  {
    id: 112,
    name: 'held',
    what: 'off, but another holds the extent',
    vmx: vmxLines('held', ...scsi('held.vmdk'), ...NET),
    files: gib('held'),
    expected: expectVm(112, 'held', { findings: ['disk.locked blocker scsi0:0'] }),
  },
  wrong(
    113,
    'orphan',
    'an orphaned delta',
    link('d', 'parent.vmdk', cid(1), cid(0)),
    ['disk.chain_broken blocker scsi0:0'],
    {
      capacity_bytes: 1024 * MIB,
      kind: 'vmfs_sparse',
    },
  ),
  wrong(
    114,
    'changed parent',
    'a parent that was written to',
    { ...gib('s', { cid: cid(7) }), ...link('d', 's.vmdk', cid(1), cid(0)) },
    ['disk.chain_broken blocker scsi0:0'],
    {
      capacity_bytes: 1024 * MIB,
      kind: 'vmfs_sparse',
      chain: [path('changed parent', 's'), path('changed parent', 'd')],
    },
  ),
  wrong(115, 'empty descriptor', 'a descriptor of 0 bytes', { 'd.vmdk': '' }, ['disk.bad_descriptor blocker scsi0:0']),
  wrong(116, 'no descriptor', 'no descriptor', {}, ['disk.missing blocker scsi0:0']),
  wrong(
    117,
    'no extent',
    'a descriptor without its extent',
    { 'd.vmdk': descriptorText({ extents: [`RW ${GIB_SECTORS} VMFS "d-flat.vmdk"`] }) },
    ['disk.missing blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'flat' },
  ),
  wrong(
    118,
    'loop',
    'a chain that is a loop',
    { ...link('d', 'e.vmdk', cid(1), cid(1)), ...link('e', 'd.vmdk', cid(1), cid(1)) },
    ['disk.bad_descriptor blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'vmfs_sparse', chain: [path('loop', 'e'), path('loop', 'd')] },
  ),
  wrong(
    119,
    'outside',
    'an extent that leads out of the datastores',
    { 'd.vmdk': descriptorText({ extents: [`RW ${GIB_SECTORS} VMFS "/etc/shadow"`] }) },
    ['disk.bad_descriptor blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'flat' },
  ),
  wrong(
    120,
    'vsan',
    'an object of vSAN',
    { 'd.vmdk': descriptorText({ extents: [`RW ${GIB_SECTORS} VMFS "vsan://5e1f2a60-1234-5678-9abc-def012345678"`] }) },
    ['disk.unsupported blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'flat' },
  ),
  wrong(
    121,
    'huge',
    'a descriptor that says more than there can be',
    { 'd.vmdk': descriptorText({ extents: ['RW 99999999999999999 VMFS "d-flat.vmdk"'] }) },
    ['disk.bad_descriptor blocker scsi0:0'],
  ),
  {
    id: 124,
    name: 'uploaded',
    what: 'stream-optimized files that hold their own descriptor, one of them renamed since',
    vmx: vmxLines('uploaded', ...scsi('disk001.vmdk', 'renamed.vmdk'), ...NET),
    files: {
      'disk001.vmdk': streamFile(GIB_SECTORS, 'disk001.vmdk'),
      'renamed.vmdk': streamFile(GIB_SECTORS, '../../etc/passwd'),
    },
    expected: expectVm(124, 'uploaded', {
      disks: [
        disk(path('uploaded', 'disk001'), { kind: 'stream_optimized', allocated_bytes: 65536 }),
        disk(path('uploaded', 'renamed'), { label: 'scsi0:1', kind: 'stream_optimized', allocated_bytes: 65536 }),
      ],
    }),
  },
  {
    id: 125,
    name: 'cowd',
    what: 'a delta whose header agrees',
    vmx: vmxLines('cowd', ...scsi('d.vmdk'), ...NET),
    files: {
      ...gib('s', { cid: cid(0) }),
      ...link('d', 's.vmdk', cid(1), cid(0)),
      'd-delta.vmdk': cowdFile(GIB_SECTORS),
    },
    expected: expectVm(125, 'cowd', {
      disks: [
        disk(path('cowd', 'd'), {
          kind: 'vmfs_sparse',
          allocated_bytes: 4096,
          chain: [path('cowd', 's'), path('cowd', 'd')],
        }),
      ],
    }),
  },
  wrong(
    126,
    'other delta',
    'a delta whose header is for another size',
    {
      ...gib('s', { cid: cid(0) }),
      ...link('d', 's.vmdk', cid(1), cid(0)),
      'd-delta.vmdk': cowdFile(GIB_SECTORS * 2),
    },
    ['disk.bad_descriptor blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'vmfs_sparse', chain: [path('other delta', 's'), path('other delta', 'd')] },
  ),
  wrong(
    127,
    'other stream',
    'a stream-optimized file whose header and descriptor disagree',
    { 'd.vmdk': streamFile(GIB_SECTORS * 3, 'd.vmdk') },
    ['disk.bad_descriptor blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'stream_optimized' },
  ),
  wrong(
    122,
    'short',
    'an extent that is shorter than it says',
    { 'd.vmdk': descriptorText({ extents: [`RW ${GIB_SECTORS} VMFS "d-flat.vmdk"`] }), 'd-flat.vmdk': 512 * MIB },
    ['disk.bad_descriptor blocker scsi0:0'],
    { capacity_bytes: 1024 * MIB, kind: 'flat' },
  ),
  {
    id: 123,
    name: 'elsewhere',
    what: 'a .vmx in a deep folder, listed by its UUID path',
    folder: 'a/b c',
    file: 'elsewhere',
    spelled: `[] /vmfs/volumes/${DS1.uuid}/a/b c/elsewhere.vmx`,
    vmx: vmxLines('elsewhere', ...scsi('elsewhere.vmdk'), ...NET),
    files: gib('elsewhere'),
    expected: expectVm(123, 'elsewhere', {
      vmx_path: '[datastore1] a/b c/elsewhere.vmx',
      disks: [disk('[datastore1] a/b c/elsewhere.vmdk')],
      nics: [nic(0)],
    }),
  },
];
