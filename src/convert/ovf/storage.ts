import { badOvf, unsupportedOvf } from './faults.js';
import { TYPES, type HardwareItem } from './items.js';
import type { MachinePlace } from './machine.js';
import type { OvfController, OvfDisk, OvfMachineDisk } from './types.js';

const BUSES = ['ide', 'scsi', 'sata', 'nvme'] as const;
type Bus = (typeof BUSES)[number];
/** Units of one controller: the most that any VMware product has. */
const UNITS: Readonly<Record<Bus, number>> = { ide: 2, scsi: 65, sata: 30, nvme: 64 };
const MAX_BUS = 64;

interface Controller {
  bus: Bus;
  number: number;
  model: OvfController;
}

/** The controllers by their InstanceID. A bus number that is missing, odd or taken becomes the next free one. */
export function controllersOf(items: readonly HardwareItem[], at: MachinePlace): Map<string, Controller> {
  const found = items.flatMap((item) => {
    const kind = kindOf(item);
    return kind ? [{ item, ...kind }] : [];
  });
  const controllers = new Map<string, Controller>();
  for (const bus of BUSES) {
    const own = found.filter((controller) => controller.bus === bus);
    const told = own.map(({ item }) => (/^\d{1,2}$/.test(item.address ?? '') ? Number(item.address) : -1));
    const isSound = told.every((number, index) => number >= 0 && told.indexOf(number) === index);
    for (const [index, { item, model }] of own.entries()) {
      if (index >= MAX_BUS) throw badOvf(at.name, item.place, `more than ${MAX_BUS} controllers of one kind`);
      controllers.set(item.instance, { bus, model, number: isSound ? (told[index] ?? index) : index });
    }
  }
  return controllers;
}

function kindOf({ type, subType }: HardwareItem): { bus: Bus; model: OvfController } | null {
  const word = subType?.split(/\s+/)[0]?.toLowerCase() ?? '';
  if (type === TYPES.ide) return { bus: 'ide', model: 'ide' };
  if (type === TYPES.scsi) return { bus: 'scsi', model: scsiModel(word) };
  if (type !== TYPES.otherStorage) return null;
  if (word.includes('nvme')) return { bus: 'nvme', model: 'nvme' };
  if (word.includes('virtio')) return { bus: 'scsi', model: 'pvscsi' };
  return word === '' || /ahci|sata/.test(word) ? { bus: 'sata', model: 'ahci' } : null;
}

/** As VMware's products and VirtualBox write it; a paravirtual one of another product counts as VMware's. */
function scsiModel(word: string): OvfController {
  if (/lsilogicsas|sas/.test(word)) return 'lsisas1068';
  if (/virtualscsi|pvscsi|virtio/.test(word)) return 'pvscsi';
  return word === 'buslogic' ? 'buslogic' : 'lsilogic';
}

/** The hard disks where the VM has them, in the order of the inventory. Throws as `readOvf` does. */
export function disksOf(
  items: readonly HardwareItem[],
  controllers: ReadonlyMap<string, Controller>,
  disks: readonly OvfDisk[],
  at: MachinePlace,
): OvfMachineDisk[] {
  const taken = new Set<string>();
  const placed = items
    .filter(({ type }) => type === TYPES.disk)
    .map((item) => {
      const controller = controllers.get(item.parent ?? '');
      if (!controller) throw badOvf(at.name, item.place, 'it is a disk without a controller that is known');
      const unit = unitOf(item, controller, taken, at);
      const label = `${controller.bus}${controller.number}:${unit}`;
      if (taken.has(label)) throw badOvf(at.name, item.place, `two disks hang at ${label}`);
      taken.add(label);
      return { controller, unit, label, disk: backingOf(item, disks, at) };
    });
  const twice = placed.find(({ disk }, index) => placed.findIndex((other) => other.disk.id === disk.id) !== index);
  // Two VMs may name one disk: each gets a copy. Within one VM nobody means that.
  if (twice) throw badOvf(at.name, `${at.place}, ${twice.label}`, `its disk ${twice.disk.id} hangs on the VM twice`);
  placed.sort(
    (a, b) =>
      BUSES.indexOf(a.controller.bus) - BUSES.indexOf(b.controller.bus) ||
      a.controller.number - b.controller.number ||
      a.unit - b.unit,
  );
  return placed.map(({ label, controller, disk }) => ({ label, controller: controller.model, disk }));
}

function unitOf(item: HardwareItem, { bus, number }: Controller, taken: ReadonlySet<string>, at: MachinePlace): number {
  if (item.addressOnParent === null) {
    for (let unit = 0; unit < UNITS[bus]; unit++) if (!taken.has(`${bus}${number}:${unit}`)) return unit;
  }
  const unit = /^\d{1,3}$/.test(item.addressOnParent ?? '') ? Number(item.addressOnParent) : -1;
  if (unit < 0 || unit >= UNITS[bus]) {
    throw badOvf(at.name, item.place, `its place ${JSON.stringify(item.addressOnParent)} on the controller is none`);
  }
  return unit;
}

/** `ovf:/disk/ID`; older programs leave the scheme out or write it with two slashes. */
function backingOf({ hostResource, place }: HardwareItem, disks: readonly OvfDisk[], at: MachinePlace): OvfDisk {
  const told = JSON.stringify(hostResource?.slice(0, 120) ?? null);
  const match = /^(?:ovf:)?\/{1,2}(disk|file)\/(.+)$/.exec(hostResource ?? '');
  if (match?.[1] === 'file') throw unsupportedOvf(at.name, place, `it hangs on a file (${told}) instead of a disk`);
  if (!match) throw badOvf(at.name, place, `its HostResource ${told} names no disk`);
  const disk = disks.find(({ id }) => id === match[2]);
  if (!disk) throw badOvf(at.name, place, `its disk ${told} is not in DiskSection`);
  return disk;
}
