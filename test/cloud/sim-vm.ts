import type { Context } from '../../src/core/index.js';
import type { SoapSession } from '../../src/esxi/soap/session.js';
import { runTask } from '../../src/esxi/soap/task.js';
import { xml, type Outgoing } from '../../src/esxi/soap/xml.js';
import type { InventoryVm } from '../../src/migration/read-inventory.js';

/** Makes the VM of an inventory's record in the simulator, with the keys of devices that a host gives. */
export async function createVm(session: SoapSession, ctx: Context, vm: InventoryVm): Promise<void> {
  const config = xml('config', [
    xml('name', vm.name),
    xml('version', vm.hardware_version ?? ''),
    xml('uuid', vm.uuid ?? ''),
    xml('guestId', vm.guest_id ?? ''),
    ...(vm.annotation === null ? [] : [xml('annotation', vm.annotation)]),
    xml('files', [xml('vmPathName', vm.vmx_path)]),
    xml('numCPUs', String(vm.cpus)),
    xml('numCoresPerSocket', String(vm.cores_per_socket)),
    xml('memoryMB', String(vm.memory_mib)),
    ...controllersOf(vm).map(added),
    ...vm.disks.map(diskOf).map(added),
    ...vm.nics.map((nic) => added(nicOf(nic, isStatic(vm, nic.label)))),
    xml('bootOptions', [xml('efiSecureBootEnabled', String(vm.secure_boot))]),
    xml('firmware', vm.firmware ?? ''),
    xml('changeTrackingEnabled', String(vm.change_tracking)),
  ]);
  const pool = xml('pool', 'ha-root-pool', { type: 'ResourcePool' });
  const on = { type: 'Folder', id: 'ha-folder-vm' };
  const what = `make ${vm.name}`;
  const { made } = await runTask(
    session,
    ctx,
    { method: 'CreateVM_Task', on, parameters: [config, pool], what },
    60_000,
  );
  const method = { on: 'PowerOnVM_Task', suspended: 'SuspendVM_Task', off: null }[vm.power_state ?? 'off'];
  if (!made) throw new Error(`${vm.name} was not made`);
  if (method === 'SuspendVM_Task') await runTask(session, ctx, { method: 'PowerOnVM_Task', on: made, what }, 60_000);
  if (method !== null) await runTask(session, ctx, { method, on: made, what }, 60_000);
}

const added = (device: Outgoing) => xml('deviceChange', [xml('operation', 'add'), device]);
const typedXml = (type: string, content: Outgoing[]) => xml('device', content, { 'xsi:type': type });

const FIRST_KEYS = { ide: 200, scsi: 1000, sata: 15000, nvme: 31000 } as const;
const TYPES = {
  pvscsi: 'ParaVirtualSCSIController',
  lsilogic: 'VirtualLsiLogicController',
  lsisas1068: 'VirtualLsiLogicSASController',
  buslogic: 'VirtualBusLogicController',
  ahci: 'VirtualAHCIController',
  nvme: 'VirtualNVMEController',
  ide: 'VirtualIDEController',
} as const;

function place(label: string): { controllerKey: number; bus: string; number: number; unit: number } {
  const [, bus = '', number = '', unit = ''] = /^(\w+?)(\d+):(\d+)$/.exec(label) ?? [];
  const controllerKey = FIRST_KEYS[bus as keyof typeof FIRST_KEYS] + Number(number);
  return { controllerKey, bus, number: Number(number), unit: Number(unit) };
}

/** IDE controllers are there from the start. */
function controllersOf(vm: InventoryVm): Outgoing[] {
  const found = new Map<number, Outgoing>();
  for (const { label, controller } of vm.disks) {
    const { controllerKey, bus, number } = place(label);
    if (bus === 'ide' || controller === null) continue;
    const sharing = bus === 'scsi' ? [xml('sharedBus', 'noSharing')] : [];
    const content = [xml('key', String(controllerKey)), xml('busNumber', String(number)), ...sharing];
    found.set(controllerKey, typedXml(TYPES[controller], content));
  }
  return [...found.values()];
}

function diskOf({ label, path, mode, capacity_bytes: bytes }: InventoryVm['disks'][number], index: number): Outgoing {
  const { controllerKey, unit } = place(label);
  const backing = xml('backing', [xml('fileName', path ?? ''), xml('diskMode', mode), xml('thinProvisioned', 'true')], {
    'xsi:type': 'VirtualDiskFlatVer2BackingInfo',
  });
  return typedXml('VirtualDisk', [
    xml('key', String(50_000 + index)),
    backing,
    xml('controllerKey', String(controllerKey)),
    xml('unitNumber', String(unit)),
    xml('capacityInKB', String(Math.floor((bytes ?? 0) / 1024))),
    xml('capacityInBytes', String(bytes ?? 0)),
  ]);
}

const MODELS = {
  vmxnet3: 'VirtualVmxnet3',
  e1000: 'VirtualE1000',
  e1000e: 'VirtualE1000e',
  vlance: 'VirtualPCNet32',
  flexible: 'VirtualPCNet32',
  sriov: 'VirtualSriovEthernetCard',
  pvrdma: 'VirtualVmxnet3Vrdma',
} as const;

/** Its MAC was set by hand. */
function isStatic({ findings }: InventoryVm, label: string): boolean {
  return findings.some(({ code, subject }) => code === 'nic.static_mac' && subject === label);
}

function nicOf({ label, model, mac, network, connected }: InventoryVm['nics'][number], byHand: boolean): Outgoing {
  const number = Number(label.replace('ethernet', ''));
  return typedXml(MODELS[model ?? 'vmxnet3'], [
    xml('key', String(4000 + number)),
    xml('backing', [xml('deviceName', network ?? '')], { 'xsi:type': 'VirtualEthernetCardNetworkBackingInfo' }),
    xml('connectable', [
      xml('startConnected', String(connected)),
      xml('allowGuestControl', 'true'),
      xml('connected', String(connected)),
    ]),
    xml('controllerKey', '100'),
    xml('unitNumber', String(7 + number)),
    xml('addressType', byHand ? 'manual' : 'generated'),
    xml('macAddress', mac ?? ''),
  ]);
}
