import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { parseDescriptor } from '../../../src/disk/index.js';
import { parseFrames } from '../../../src/esxi/inventory/batch.js';
import { datastoresOfDf, datastoresOfEsxcli, datastoresOfSummary } from '../../../src/esxi/inventory/datastores.js';
import { devicesOf } from '../../../src/esxi/inventory/devices.js';
import { diskDevices } from '../../../src/esxi/inventory/disk-devices.js';
import { guestIdOfVmx } from '../../../src/esxi/inventory/guest-id.js';
import { hostRecord } from '../../../src/esxi/inventory/host-record.js';
import { networksOfEsxcli, portGroupsOfVimCmd } from '../../../src/esxi/inventory/networks.js';
import { nicsOf } from '../../../src/esxi/inventory/nics.js';
import { otherDevices } from '../../../src/esxi/inventory/other-devices.js';
import { DatastorePaths, parseVolumeLinks } from '../../../src/esxi/inventory/paths.js';
import { parseEsxcliList } from '../../../src/esxi/parse/esxcli-list.js';
import { parseKeyValue } from '../../../src/esxi/parse/esxcli-keyvalue.js';
import { parseGetAllVms } from '../../../src/esxi/parse/getallvms.js';
import { parseSnapshotTree } from '../../../src/esxi/parse/snapshot-tree.js';
import { parseVimObject } from '../../../src/esxi/parse/vim-object.js';
import { parseVmfsLock } from '../../../src/esxi/parse/vmkfstools-lock.js';
import { parseVmx } from '../../../src/esxi/parse/vmx.js';
import { devicesText, descriptorText, guestText, listText, summaryText } from '../texts.js';
import { ethernet, scsi, snapshotTree, vmxLines } from '../inventory/contract-form.js';

/** Texts in the form that a host prints them, to be spoilt. */
const SEEDS = [
  vmxLines('a b', ...scsi('a.vmdk', '/vmfs/volumes/x/b.vmdk'), ...ethernet(0, 'VM%2fNetwork')).join('\n'),
  descriptorText({ parent: 'b.vmdk', parentCid: 'a', extents: ['RW 2048 VMFSSPARSE "a-delta.vmdk"'] }),
  summaryText(1, { name: 'x "y"', vmx: '[ds] x/x.vmx', annotation: 'line\nline "q"', question: true }),
  guestText({ net: [{ $: 'vim.vm.GuestInfo.NicInfo', ipAddress: ['::1'], macAddress: '00:0c:29:00:00:01' }] }),
  devicesText([
    { $: 'vim.vm.device.ParaVirtualSCSIController', key: 1000, busNumber: 0 },
    {
      $: 'vim.vm.device.VirtualDisk',
      key: 2000,
      controllerKey: 1000,
      unitNumber: 0,
      backing: { $: 'vim.vm.device.VirtualDisk.FlatVer2BackingInfo', fileName: '[ds] x/x.vmdk', parent: null },
    },
  ]),
  listText([{ id: 5, name: 'x [y]', vmx: '[ds (1)] x/x.vmx', annotation: 'a\n6 b [ds] c.vmx g vmx-09' }]),
  snapshotTree(3),
  'Free,MountPoint,Mounted,Size,Type,UUID,VolumeName,\n5,/vmfs/volumes/a-b,true,10,VMFS-6,a-b,"x ""y"", z",\n',
  'Name        Virtual Switch  Active Clients  VLAN ID\n----------  --------------  --------------  -------\nVM Network  vSwitch0                     0     4095\n',
  '   Product: VMware ESXi\n   Version: 8.0.3\n   UUID: 0x4c 0x4c\n',
  'Lock [type 10c00001 offset 1 v 1, hb offset 1\ngen 7, mode 2, owner 00000000-00000000-0000-000000000000 mtime 9\n',
  'lrwxr-xr-x    1 root     root            35 Oct  1 10:00 datastore1 -> 5e0026d9-a647150e-d8a8-4cedfb76e9d5\n',
  '@a\n|x\n|\n|0\n@b\n|y\n|0\n',
];

/** Characters that mean something to one of the parsers. */
const SPECIAL = fc.constantFrom(
  ...['"', '\n', '\r', '\0', '=', '[', ']', '{', '}', '(', ')', ',', '|', '--', '#', '\ufeff', '%2f', '../', '/'],
  ...[
    '\\',
    "'",
    '   ',
    '|-ROOT',
    '--Snapshot Id        : 1',
    'null',
    '<unset>',
    '9'.repeat(40),
    '-1',
    'vmx-19',
    '[ds] ',
  ],
);

/** A text as it was printed, cut, doubled and sprinkled. */
const spoilt = fc
  .record({
    seed: fc.constantFrom(...SEEDS),
    edits: fc.array(
      fc.record({ at: fc.nat(5000), drop: fc.nat(60), put: fc.oneof(SPECIAL, fc.string({ maxLength: 20 })) }),
      { maxLength: 8 },
    ),
    repeat: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ seed, edits, repeat }) =>
    edits.reduce((text, { at, drop, put }) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + drop);
    }, seed.repeat(repeat)),
  );
const anything = fc.oneof(spoilt, fc.string({ unit: 'binary', maxLength: 400 }));

function valueOf(text: string) {
  try {
    return parseVimObject(text);
  } catch (error) {
    if (error instanceof StackferryError) return null;
    throw error;
  }
}

function vmxOf(text: string) {
  try {
    return parseVmx(Buffer.from(text));
  } catch (error) {
    if (error instanceof StackferryError) return null;
    throw error;
  }
}

const frames = (text: string) =>
  new Map(
    ['host.version', 'host.hostname', 'host.platform', 'host.summary', 'host.license'].map((name) => [
      name,
      { content: Buffer.from(text), status: 0 },
    ]),
  );

/** Each reader of what a host printed. */
const READERS: Record<string, (text: string) => unknown> = {
  'a .vmx': (text) => parseVmx(Buffer.from(text)),
  'a .vmx of any bytes': (text) => parseVmx(Buffer.from(text, 'utf16le')),
  'a descriptor': (text) => parseDescriptor(Buffer.from(text)),
  'a data object': (text) => parseVimObject(text),
  'the list of VMs': (text) => parseGetAllVms(text, text),
  'a snapshot tree': parseSnapshotTree,
  'a list of esxcli': parseEsxcliList,
  'key and value of esxcli': parseKeyValue,
  'a lock': parseVmfsLock,
  frames: (text) => parseFrames(Buffer.from(text)),
  'links of volumes': parseVolumeLinks,
  'datastores of esxcli': datastoresOfEsxcli,
  'datastores of vim-cmd': (text) => datastoresOfSummary(valueOf(text)),
  'datastores of df': (text) => datastoresOfDf(text, new Map()),
  'networks of esxcli': networksOfEsxcli,
  'networks of vim-cmd': (text) => portGroupsOfVimCmd(valueOf(text)),
  'the host': (text) => hostRecord(frames(text)),
  'a guest OS': guestIdOfVmx,
  'a path': (text) => new DatastorePaths([], new Map()).resolve(text, '/vmfs/volumes/a/b'),
  'disks, NICs and devices': (text) => {
    const [vmx, value] = [vmxOf(text), valueOf(text)];
    const devices = devicesOf(value);
    if (!vmx && !devices) return;
    const either = vmx ?? parseVmx(Buffer.from('a = "b"'));
    for (const preferDevices of [true, false]) {
      diskDevices(either, devices, preferDevices);
      nicsOf({ vmx: either, devices, guest: value, running: preferDevices, preferDevices, networks: [] });
      otherDevices(either, devices, preferDevices, preferDevices);
    }
  },
};

describe('of hostile text', () => {
  it.each(Object.entries(READERS))('%s throws nothing but a StackferryError', (_, reader) => {
    fc.assert(
      fc.property(anything, (text) => {
        try {
          reader(text);
        } catch (error) {
          expect(error).toBeInstanceOf(StackferryError);
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each(Object.entries(READERS))('%s does not hang on what repeats', (_, reader) => {
    const started = performance.now();
    for (const piece of [
      '"',
      '   [x] y.vmx',
      'a = "',
      '(x.Y) {\n',
      '--',
      ' \t',
      '|00',
      '] ',
      '../',
      '%2f',
      ',,"',
      '-  ',
    ]) {
      try {
        reader(piece.repeat(20_000));
      } catch (error) {
        expect(error).toBeInstanceOf(StackferryError);
      }
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
