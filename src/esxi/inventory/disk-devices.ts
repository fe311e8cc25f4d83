import { isObject, pick, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';
import type { Vmx } from '../parse/vmx.js';
import { BUS_ORDER, type Bus, type Controller, type Device, type Devices, backingType, labelOf } from './devices.js';
import { diskModes, type DiskRecord } from './schema.js';
import { nonEmpty } from '../parse/non-empty.js';

/** A disk as the VM's configuration names it, before its files are looked at. */
export interface DiskDevice {
  label: string;
  bus: Bus;
  controllerNumber: number;
  unit: number;
  /** Null where the configuration leaves it to the default. */
  controller: DiskRecord['controller'];
  /** As written; relative names start at the .vmx's folder. Null: the configuration names no file. */
  fileName: string | null;
  mode: DiskRecord['mode'];
  shared: boolean;
  /** What the host says; a descriptor that can be read says it better. */
  capacityBytes: number | null;
  rdm: 'rdm_virtual' | 'rdm_physical' | null;
  /** Parents as `device.getdevices` prints them: read ahead, never trusted. */
  parentNames: string[];
}

const CONTROLLER_OF_TYPE: Record<string, DiskRecord['controller']> = {
  ParaVirtualSCSIController: 'pvscsi',
  VirtualLsiLogicController: 'lsilogic',
  VirtualLsiLogicSASController: 'lsisas1068',
  VirtualBusLogicController: 'buslogic',
  VirtualAHCIController: 'ahci',
  VirtualSATAController: 'ahci',
  VirtualNVMEController: 'nvme',
  VirtualIDEController: 'ide',
};

const SCSI_WORDS = ['pvscsi', 'lsilogic', 'lsisas1068', 'buslogic'] as const;

/**
 * The VM's disks in the contract's order. What counts: of a VM that runs or is suspended the host's own list (its
 * process has those files open; the .vmx may be older), of one that is off the .vmx (that is what the next power-on
 * reads). Each fills what the other does not say. `preferDevices` also holds where the .vmx hides its content.
 */
export function diskDevices(vmx: Vmx, devices: Devices | null, preferDevices: boolean): DiskDevice[] {
  const fromVmx = new Map(disksOfVmx(vmx).map((disk) => [disk.label, disk]));
  const fromDevices = new Map((devices ? disksOfDevices(devices) : []).map((disk) => [disk.label, disk]));
  const [first, second] = preferDevices && devices ? [fromDevices, fromVmx] : [fromVmx, fromDevices];
  return [...first.values()].map((disk) => completed(disk, second.get(disk.label))).sort(byPlace);
}

function completed(disk: DiskDevice, other: DiskDevice | undefined): DiskDevice {
  if (!other) return disk;
  return {
    ...disk,
    controller: disk.controller ?? other.controller,
    fileName: disk.fileName ?? other.fileName,
    shared: disk.shared || other.shared,
    capacityBytes: disk.capacityBytes ?? other.capacityBytes,
    rdm: disk.rdm ?? other.rdm,
    parentNames: disk.parentNames.length > 0 ? disk.parentNames : other.parentNames,
  };
}

function byPlace(a: DiskDevice, b: DiskDevice): number {
  return (
    BUS_ORDER.indexOf(a.bus) - BUS_ORDER.indexOf(b.bus) || a.controllerNumber - b.controllerNumber || a.unit - b.unit
  );
}

function disksOfVmx(vmx: Vmx): DiskDevice[] {
  const disks: DiskDevice[] = [];
  for (const { bus, controllerNumber, unit, label } of vmxPlaces(vmx)) {
    if (!vmx.flag(`${label}.present`, false)) continue;
    // The IDE controllers are part of the board and need no `present`.
    if (!vmx.flag(`${bus}${controllerNumber}.present`, true)) continue;
    const fileName = vmx.get(`${label}.fileName`);
    if (!isDiskType(vmx.get(`${label}.deviceType`), fileName)) continue;
    disks.push({
      label,
      bus,
      controllerNumber,
      unit,
      controller: controllerOfVmx(vmx, bus, controllerNumber),
      fileName: fileName === null || fileName.trim() === '' ? null : fileName,
      mode: modeOf(vmx.get(`${label}.mode`)),
      shared:
        /^multi-?writer$/i.test(vmx.get(`${label}.sharing`)?.trim() ?? '') ||
        /^(?:virtual|physical)$/i.test(vmx.get(`${bus}${controllerNumber}.sharedBus`)?.trim() ?? ''),
      capacityBytes: null,
      rdm: null,
      parentNames: [],
    });
  }
  return disks;
}

/** Every `BUSn:m` that the .vmx has a key for. */
export function vmxPlaces(vmx: Vmx): { bus: Bus; controllerNumber: number; unit: number; label: string }[] {
  const places = new Map<string, { bus: Bus; controllerNumber: number; unit: number; label: string }>();
  for (const key of vmx.keys()) {
    const match = /^(ide|scsi|sata|nvme)(\d{1,3}):(\d{1,3})\./.exec(key);
    const bus = BUS_ORDER.find((known) => known === match?.[1]);
    if (!match || !bus) continue;
    const [controllerNumber, unit] = [Number(match[2]), Number(match[3])];
    const label = `${bus}${controllerNumber}:${unit}`;
    places.set(label, { bus, controllerNumber, unit, label });
  }
  return [...places.values()];
}

/** `scsi-hardDisk`, `ata-hardDisk`, `disk`, `rawDisk`, or nothing (the default); CD drives and the like are not disks. */
function isDiskType(deviceType: string | null, fileName: string | null): boolean {
  const type = deviceType?.trim().toLowerCase() ?? '';
  if (/cdrom|floppy|passthru$|tape/.test(type)) return false;
  return type !== '' || !/^(?:auto detect|emptybackingstring)$|\.(?:iso|flp)$/i.test(fileName?.trim() ?? '');
}

function controllerOfVmx(vmx: Vmx, bus: Bus, number: number): DiskRecord['controller'] {
  if (bus === 'ide') return 'ide';
  if (bus === 'sata') return 'ahci';
  if (bus === 'nvme') return 'nvme';
  const word = vmx.get(`scsi${number}.virtualDev`)?.trim().toLowerCase() ?? '';
  return SCSI_WORDS.find((known) => known === word) ?? null;
}

function modeOf(text: string | null): DiskRecord['mode'] {
  const word = text?.trim().toLowerCase().replaceAll('-', '_') ?? '';
  return diskModes.find((mode) => mode === word) ?? 'persistent';
}

function disksOfDevices(devices: Devices): DiskDevice[] {
  return devices.devices.flatMap((device) => {
    const { controller, unit } = device;
    const label = labelOf(device);
    if (device.type !== 'VirtualDisk' || !controller || unit === null || label === null) return [];
    return [diskOfDevice(device, controller, unit, label)];
  });
}

function diskOfDevice(device: Device, controller: Controller, unit: number, label: string): DiskDevice {
  const backing = pick(device.object, 'backing');
  const kib = pickNumber(device.object, 'capacityInKB');
  const capacity = pickNumber(device.object, 'capacityInBytes') ?? (kib === null ? null : kib * 1024);
  return {
    label,
    bus: controller.bus,
    controllerNumber: controller.number,
    unit,
    controller: CONTROLLER_OF_TYPE[controller.type] ?? null,
    fileName: nonEmpty(pickString(backing, 'fileName')),
    mode: modeOf(pickString(backing, 'diskMode')),
    shared:
      pickString(backing, 'sharing') === 'sharingMultiWriter' ||
      ['virtualSharing', 'physicalSharing'].includes(pickString(controller.object, 'sharedBus') ?? ''),
    capacityBytes: capacity !== null && capacity > 0 ? capacity : null,
    rdm: backingType(device)?.startsWith('RawDiskMapping')
      ? pickString(backing, 'compatibilityMode') === 'physicalMode'
        ? 'rdm_physical'
        : 'rdm_virtual'
      : null,
    parentNames: parentsOf(backing),
  };
}

function parentsOf(backing: VimValue | undefined): string[] {
  const names: string[] = [];
  for (let parent = pick(backing, 'parent'); isObject(parent) && names.length < 64; parent = pick(parent, 'parent')) {
    const name = pickString(parent, 'fileName');
    if (name) names.push(name);
  }
  return names;
}
