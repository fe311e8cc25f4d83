import type { Disk, Nic, Vm } from './resolve.js';
import { list, nil, object, ref, unset, type VimValue } from './vim-object.js';

// Fields and their order as in the recording device.getdevices.6.x. Keys: IDE 200, SCSI 1000, SATA 15000, NVMe 31000
// plus the bus; disks 3000 (IDE), 2000 (SCSI), 16000 (SATA), 32000 (NVMe) plus a place; NICs 4000 plus their number.
const CONTROLLERS: Record<Disk['controller'], { type: string; summary: string; key: number; diskKey: number }> = {
  ide: { type: 'VirtualIDEController', summary: 'IDE', key: 200, diskKey: 3000 },
  pvscsi: { type: 'ParaVirtualSCSIController', summary: 'VMware paravirtual SCSI', key: 1000, diskKey: 2000 },
  lsilogic: { type: 'VirtualLsiLogicController', summary: 'LSI Logic', key: 1000, diskKey: 2000 },
  lsisas1068: { type: 'VirtualLsiLogicSASController', summary: 'LSI Logic SAS', key: 1000, diskKey: 2000 },
  buslogic: { type: 'VirtualBusLogicController', summary: 'BusLogic', key: 1000, diskKey: 2000 },
  ahci: { type: 'VirtualAHCIController', summary: 'AHCI', key: 15000, diskKey: 16000 },
  nvme: { type: 'VirtualNVMEController', summary: 'NVME controller 0', key: 31000, diskKey: 32000 },
};
const SCSI = new Set<Disk['controller']>(['pvscsi', 'lsilogic', 'lsisas1068', 'buslogic']);

const NICS: Record<Nic['model'], string> = {
  vmxnet3: 'VirtualVmxnet3',
  e1000: 'VirtualE1000',
  e1000e: 'VirtualE1000e',
  vlance: 'VirtualPCNet32',
  flexible: 'VirtualPCNet32',
  sriov: 'VirtualSriovEthernetCard',
  pvrdma: 'VirtualVmxnet3Vrdma',
};

const base = 'vim.vm.device.';
const describe = (label: string, summary: string) => object('vim.Description', { label, summary });
const noConnectable = nil(`${base}VirtualDevice.ConnectInfo`);
const noSlot = nil(`${base}VirtualDevice.BusSlotInfo`);
const pciSlot = (number: number) => object(`${base}VirtualDevice.PciBusSlotInfo`, { pciSlotNumber: number });
const connectable = (startConnected: boolean, connected: boolean) =>
  object(`${base}VirtualDevice.ConnectInfo`, {
    startConnected,
    allowGuestControl: true,
    connected,
    status: connected ? 'ok' : 'untried',
  });

function controllerKey(disk: Disk): number {
  return CONTROLLERS[disk.controller].key + disk.bus;
}

function diskKey(disk: Disk): number {
  const perBus = SCSI.has(disk.controller) ? 16 : disk.controller === 'ide' ? 2 : disk.controller === 'ahci' ? 30 : 15;
  return CONTROLLERS[disk.controller].diskKey + disk.bus * perBus + disk.unit;
}

function controllers(vm: Vm): VimValue[] {
  const first = new Map<number, Disk>();
  for (const disk of vm.disks) if (!first.has(controllerKey(disk))) first.set(controllerKey(disk), disk);
  return [...first].map(([key, disk]) => {
    const { type, summary } = CONTROLLERS[disk.controller];
    const scsi = SCSI.has(disk.controller);
    const ide = disk.controller === 'ide';
    const label = ide ? `IDE ${disk.bus}` : scsi ? `SCSI controller ${disk.bus}` : `${summary.slice(0, 4)} ${disk.bus}`;
    return object(`${base}${type}`, {
      key,
      deviceInfo: describe(label, ide ? label : summary),
      backing: nil(`${base}VirtualDevice.BackingInfo`),
      connectable: noConnectable,
      slotInfo: ide ? noSlot : pciSlot(160 + disk.bus * 32),
      controllerKey: ide ? unset : 100,
      unitNumber: ide ? unset : 3 + disk.bus,
      busNumber: disk.bus,
      device: list('int', vm.disks.filter((one) => controllerKey(one) === key).map(diskKey)),
      ...(scsi ? { hotAddRemove: true, sharedBus: 'noSharing', scsiCtlrUnitNumber: 7 } : {}),
    });
  });
}

const DELTA_FORMATS = { vmfsSparse: 'redoLogFormat', seSparse: 'seSparseFormat' };

/** The backing of the link at `level`, with its parents inside. */
function backing(disk: Disk, level: number): VimValue {
  const flat = `${base}VirtualDisk.FlatVer2BackingInfo`;
  const link = disk.links[level];
  if (link === undefined) return nil(flat);
  const common = {
    fileName: `[${disk.datastore.name}] ${disk.folder}/${link.file}`,
    datastore: ref(`vim.Datastore:${disk.datastore.uuid}`),
    backingObjectId: '',
  };
  if (disk.spec.rdm !== undefined) {
    return object(`${base}VirtualDisk.RawDiskMappingVer1BackingInfo`, {
      ...common,
      lunUuid: `02000000006006016${disk.uuid.slice(8, 30)}`,
      deviceName: `vml.02000000006006016${disk.uuid.slice(8, 30)}`,
      compatibilityMode: disk.spec.rdm === 'physical' ? 'physicalMode' : 'virtualMode',
      diskMode: disk.mode,
      uuid: uuidOf(disk),
      contentId: unset,
      changeId: unset,
      parent: nil(`${base}VirtualDisk.RawDiskMappingVer1BackingInfo`),
      sharing: 'sharingNone',
    });
  }
  return object(flat, {
    ...common,
    diskMode: disk.mode,
    split: false,
    writeThrough: false,
    thinProvisioned: disk.thin,
    eagerlyScrub: unset,
    uuid: uuidOf(disk),
    contentId: `${disk.uuid.slice(8, 32)}${link.cid}`,
    changeId: unset,
    parent: backing(disk, level - 1),
    deltaDiskFormat: link.format === 'vmfsSparse' || link.format === 'seSparse' ? DELTA_FORMATS[link.format] : unset,
    digestEnabled: false,
    deltaGrainSize: unset,
    deltaDiskFormatVariant: unset,
    sharing: disk.spec.sharing === 'multi-writer' ? 'sharingMultiWriter' : 'sharingNone',
  });
}

function uuidOf(disk: Disk): string {
  const digits = disk.uuid.toUpperCase();
  const tail = disk.uuid.slice(8);
  return `${digits.slice(0, 8)}-${tail.slice(0, 4)}-${tail.slice(4, 8)}-${tail.slice(8, 12)}-${tail.slice(12, 24)}`;
}

function disks(vm: Vm): VimValue[] {
  return vm.disks.map((disk, index) => {
    const kib = disk.sizeBytes / 1024;
    return object(`${base}VirtualDisk`, {
      key: diskKey(disk),
      deviceInfo: describe(`Hard disk ${index + 1}`, `${Math.floor(kib).toLocaleString('en-US')} KB`),
      backing: backing(disk, disk.links.length - 1),
      connectable: noConnectable,
      slotInfo: noSlot,
      controllerKey: controllerKey(disk),
      unitNumber: disk.unit,
      capacityInKB: Math.floor(kib),
      capacityInBytes: disk.sizeBytes,
      shares: object('vim.SharesInfo', { shares: 1000, level: 'normal' }),
      storageIOAllocation: object('vim.StorageResourceManager.IOAllocationInfo', {
        limit: -1,
        shares: object('vim.SharesInfo', { shares: 1000, level: 'normal' }),
        reservation: 0,
      }),
      diskObjectId: `${vm.id}-${diskKey(disk)}`,
      vFlashCacheConfigInfo: nil(`${base}VirtualDisk.VFlashCacheConfigInfo`),
    });
  });
}

function cdrom(vm: Vm, running: boolean): VimValue {
  const iso = vm.spec.cdrom;
  return object(`${base}VirtualCdrom`, {
    key: 3002,
    deviceInfo: describe('CD/DVD drive 1', iso === undefined ? 'Remote device' : `ISO ${iso}`),
    backing:
      iso === undefined
        ? object(`${base}VirtualCdrom.RemotePassthroughBackingInfo`, {
            deviceName: '',
            useAutoDetect: false,
            exclusive: false,
          })
        : object(`${base}VirtualCdrom.IsoBackingInfo`, {
            fileName: iso,
            datastore: ref(`vim.Datastore:${vm.datastore.uuid}`),
            backingObjectId: unset,
          }),
    connectable: connectable(iso !== undefined, running && iso !== undefined),
    slotInfo: noSlot,
    controllerKey: 201,
    unitNumber: 0,
  });
}

function nics(vm: Vm, running: boolean): VimValue[] {
  return vm.nics.map((nic) =>
    object(`${base}${NICS[nic.model]}`, {
      key: 4000 + nic.index,
      deviceInfo: describe(`Network adapter ${nic.index + 1}`, nic.spec.network),
      backing: object(`${base}VirtualEthernetCard.NetworkBackingInfo`, {
        deviceName: nic.spec.network,
        useAutoDetect: false,
        network: ref(`vim.Network:HaNetwork-${nic.spec.network}`),
        inPassthroughMode: unset,
      }),
      connectable: connectable(nic.startConnected, running && nic.startConnected),
      slotInfo: pciSlot(192 + nic.index * 32),
      controllerKey: 100,
      unitNumber: 7 + nic.index,
      addressType: { generated: 'generated', vpx: 'assigned', static: 'manual' }[nic.addressType],
      macAddress: nic.mac,
      wakeOnLanEnabled: true,
      externalId: unset,
      uptCompatibilityEnabled: nic.model === 'vmxnet3',
    }),
  );
}

/** The hardware of a VM, as `vmsvc/device.getdevices` and `get.config` show it. */
export function hardware(vm: Vm, running: boolean): VimValue {
  return object('vim.vm.VirtualHardware', {
    numCPU: vm.cpus,
    numCoresPerSocket: vm.coresPerSocket,
    memoryMB: vm.memoryMib,
    virtualICH7MPresent: false,
    virtualSMCPresent: false,
    device: list(`${base}VirtualDevice`, [
      object(`${base}VirtualIDEController`, {
        key: 201,
        deviceInfo: describe('IDE 1', 'IDE 1'),
        backing: nil(`${base}VirtualDevice.BackingInfo`),
        connectable: noConnectable,
        slotInfo: noSlot,
        controllerKey: unset,
        unitNumber: unset,
        busNumber: 1,
        device: list('int', [3002]),
      }),
      ...controllers(vm),
      cdrom(vm, running),
      ...disks(vm),
      ...nics(vm, running),
    ]),
  });
}
