import { MIB } from '../../core/index.js';
import { attribute, children, isVirtualBox, isVmware, textOf, vmwareAttribute } from './elements.js';
import { badOvf } from './faults.js';
import { guestByCim } from './guest-os.js';
import { TYPES, itemsOf, type HardwareItem } from './items.js';
import { readNics } from './nics.js';
import { controllersOf, disksOf } from './storage.js';
import type { OvfDevice, OvfDisk, OvfMachine } from './types.js';
import { inBytes } from './units.js';
import type { XmlElement } from './xml.js';

const MAX_CPUS = 4096;
const MAX_MEMORY_MIB = 64 * 1024 ** 2;

export interface MachinePlace {
  /** Of the descriptor. */
  name: string;
  /** In it. */
  place: string;
  configuration: string | null;
}

/** Reads one VirtualSystem. Throws as {@link readOvf} does. */
export function readMachine(system: XmlElement, disks: readonly OvfDisk[], at: MachinePlace): OvfMachine {
  const sections = children(system, 'VirtualHardwareSection');
  const hardware = sections.find((section) => hardwareVersion(section) !== null) ?? sections[0];
  if (!hardware) throw badOvf(at.name, at.place, 'it has no VirtualHardwareSection');
  const items = itemsOf(hardware, at);
  const settings = settingsOf(hardware);
  const flag = (key: string) => /^(true|yes|on|1)$/i.test(settings.get(key.toLowerCase())?.trim() ?? '');
  const controllers = controllersOf(items, at);
  const processor = processorOf(items, at);
  const id = attribute(system, 'id') ?? textOf(system, 'Name') ?? '';
  if (id === '') throw badOvf(at.name, at.place, 'it has neither id nor name');
  return {
    id,
    name: textOf(system, 'Name') ?? id,
    annotation: children(system, 'AnnotationSection').map((section) => textOf(section, 'Annotation'))[0] ?? null,
    ...guestOf(system),
    hardwareVersion: hardwareVersion(hardware),
    ...processor,
    memoryMib: memoryOf(items, at),
    firmware: settings.get('firmware')?.toLowerCase() === 'efi' || isVirtualBoxEfi(system) ? 'efi' : 'bios',
    secureBoot: flag('bootOptions.efiSecureBootEnabled') || flag('uefi.secureBoot.enabled'),
    vtpm: items.some(({ subType }) => /vtpm/i.test(subType ?? '')),
    cpuHotAdd: flag('cpuHotAddEnabled'),
    memoryHotAdd: flag('memoryHotAddEnabled'),
    diskUuid: flag('disk.EnableUUID'),
    disks: disksOf(items, controllers, disks, at),
    nics: readNics(items, at),
    devices: devicesOf(items),
  };
}

function hardwareVersion(section: XmlElement): string | null {
  const system = children(section, 'System')[0];
  return /\bvmx-\d{1,3}\b/.exec((system && textOf(system, 'VirtualSystemType')) ?? '')?.[0] ?? null;
}

/** `vmw:Config` and `vmw:ExtraConfig` of the hardware as a whole; keys in lower case. */
function settingsOf(hardware: XmlElement): Map<string, string> {
  const settings = new Map<string, string>();
  for (const child of hardware.children) {
    if (!isVmware(child.ns) || !/^(Extra)?Config$/.test(child.name)) continue;
    const key = vmwareAttribute(child, 'key');
    if (key !== null) settings.set(key.toLowerCase(), vmwareAttribute(child, 'value') ?? '');
  }
  return settings;
}

/** VirtualBox tells the firmware only in its own part. */
function isVirtualBoxEfi(system: XmlElement): boolean {
  const machine = system.children.find(({ ns, name }) => name === 'Machine' && isVirtualBox(ns));
  const hardware = machine?.children.find(({ name }) => name === 'Hardware');
  const firmware = hardware?.children.find(({ name }) => name === 'Firmware');
  return /^EFI/i.test(firmware?.attributes.get('type') ?? '');
}

function guestOf(system: XmlElement): Pick<OvfMachine, 'guestId' | 'guestName'> {
  const section = children(system, 'OperatingSystemSection')[0];
  if (!section) return { guestId: null, guestName: null };
  const told = vmwareAttribute(section, 'osType');
  const number = Number(attribute(section, 'id') ?? NaN);
  return {
    guestId: told !== null && /^[A-Za-z0-9_-]{1,64}$/.test(told) ? told : guestByCim(number),
    guestName: textOf(section, 'Description'),
  };
}

function processorOf(items: readonly HardwareItem[], at: MachinePlace): Pick<OvfMachine, 'cpus' | 'coresPerSocket'> {
  const item = items.find(({ type }) => type === TYPES.processor);
  const cpus = whole(item?.quantity ?? null);
  if (!item || cpus === null || cpus < 1 || cpus > MAX_CPUS) {
    throw badOvf(at.name, `${at.place}, processors`, `their number ${JSON.stringify(item?.quantity ?? null)} is none`);
  }
  const cores = whole(textOf(item.element, 'CoresPerSocket'));
  return { cpus, coresPerSocket: cores !== null && cores >= 1 && cpus % cores === 0 ? cores : 1 };
}

function memoryOf(items: readonly HardwareItem[], at: MachinePlace): number {
  const item = items.find(({ type }) => type === TYPES.memory);
  const units = item ? textOf(item.element, 'AllocationUnits') : null;
  // Without a unit the number counts MiB: so do all programs that leave it out.
  const bytes = inBytes(item?.quantity ?? '', units ?? 'byte * 2^20');
  if (bytes === null || bytes < MIB || bytes / MIB > MAX_MEMORY_MIB) {
    const told = `${item?.quantity ?? ''} ${units ?? ''}`.trim().slice(0, 80);
    throw badOvf(at.name, `${at.place}, memory`, `its size ${JSON.stringify(told)} is none`);
  }
  return Math.ceil(bytes / MIB);
}

function whole(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

const HANDLED: ReadonlySet<number> = new Set(Object.values(TYPES));

function devicesOf(items: readonly HardwareItem[]): OvfDevice[] {
  return items
    .filter(({ type }) => !HANDLED.has(type))
    .map(({ type, subType, elementName }) => ({ type, subType, name: elementName ?? subType ?? `type ${type}` }));
}
