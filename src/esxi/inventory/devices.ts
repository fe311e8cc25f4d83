import { isObject, pick, pickArray, pickNumber, type VimObject, type VimValue } from '../parse/vim-object.js';

export type Bus = 'ide' | 'scsi' | 'sata' | 'nvme';

/** The order of the contract. */
export const BUS_ORDER: readonly Bus[] = ['ide', 'scsi', 'sata', 'nvme'];

export interface Device {
  /** Last part of the printed type: `VirtualDisk`, `VirtualVmxnet3`. */
  type: string;
  key: number;
  object: VimObject;
  /** The controller it hangs on, joined by `controllerKey`. */
  controller: Controller | null;
  unit: number | null;
}

export interface Controller {
  type: string;
  bus: Bus;
  number: number;
  object: VimObject;
}

/** What `device.getdevices` prints of a VM, or null where it could not be read. */
export interface Devices {
  cpus: number | null;
  coresPerSocket: number | null;
  memoryMib: number | null;
  devices: Device[];
}

const BUS_OF_CONTROLLER: Record<string, Bus> = {
  VirtualIDEController: 'ide',
  ParaVirtualSCSIController: 'scsi',
  VirtualLsiLogicController: 'scsi',
  VirtualLsiLogicSASController: 'scsi',
  VirtualBusLogicController: 'scsi',
  VirtualAHCIController: 'sata',
  VirtualSATAController: 'sata',
  VirtualNVMEController: 'nvme',
};

/** Reads the printed `vim.vm.VirtualHardware`. */
export function devicesOf(hardware: VimValue): Devices | null {
  if (!isObject(hardware) || !hardware.type.endsWith('VirtualHardware')) return null;
  const controllers = new Map<number, Controller>();
  const found: { type: string; key: number; object: VimObject }[] = [];
  for (const object of pickArray(hardware, 'device').filter(isObject)) {
    const key = pickNumber(object, 'key');
    if (key === null) continue;
    const type = object.type.split('.').at(-1) ?? '';
    const bus = BUS_OF_CONTROLLER[type];
    if (bus) controllers.set(key, { type, bus, number: pickNumber(object, 'busNumber') ?? 0, object });
    else found.push({ type, key, object });
  }
  return {
    cpus: pickNumber(hardware, 'numCPU'),
    coresPerSocket: pickNumber(hardware, 'numCoresPerSocket'),
    memoryMib: pickNumber(hardware, 'memoryMB'),
    devices: found.map(({ type, key, object }) => ({
      type,
      key,
      object,
      controller: controllers.get(pickNumber(object, 'controllerKey') ?? NaN) ?? null,
      unit: pickNumber(object, 'unitNumber'),
    })),
  };
}

/** `scsi0:1`; null for a device whose controller is not listed. */
export function labelOf(device: Device): string | null {
  const { controller, unit } = device;
  return controller && unit !== null ? `${controller.bus}${controller.number}:${unit}` : null;
}

/**
 * Last part of a device's backing type: `FlatVer2BackingInfo`, or null where it has none. (`vim-cmd` prints
 * `vim.vm.device.VirtualDisk.FlatVer2BackingInfo`, the API gives `VirtualDiskFlatVer2BackingInfo`.)
 */
export function backingType(device: Device): string | null {
  const backing = pick(device.object, 'backing');
  const type = isObject(backing) ? (backing.type.split('.').at(-1) ?? null) : null;
  return type?.startsWith(device.type) ? type.slice(device.type.length) : type;
}

/** Present state and state at power-on of a device that can be disconnected. */
export function connection(device: Device): { connected: boolean | null; startConnected: boolean | null } {
  const flag = (name: string) => {
    const value = pick(device.object, 'connectable', name);
    return typeof value === 'boolean' ? value : null;
  };
  return { connected: flag('connected'), startConnected: flag('startConnected') };
}
