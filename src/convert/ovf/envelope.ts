import { TIB, formatBytes } from '../../core/index.js';
import { MAX_DISK_BYTES } from '../source.js';
import { attribute, children, isOvf, isRequired, isVirtualBox, isVmware, textOf } from './elements.js';
import { badOvf, unsupportedOvf } from './faults.js';
import { readMachine } from './machine.js';
import type { OvfDisk, OvfEnvelope, OvfFile, OvfMachine } from './types.js';
import { allocationUnit, inBytes } from './units.js';
import { parseXml, type XmlElement } from './xml.js';

const MAX_FILES = 4096;
const MAX_MACHINES = 256;
const MAX_NESTING = 16;

/** Sections that are read, or that say nothing about hardware and disks (DSP0243 and DSP0243 2.x, clause 9). */
const KNOWN = new Set([
  ...['References', 'DiskSection', 'NetworkSection', 'DeploymentOptionSection', 'VirtualSystem', 'Strings'],
  ...['VirtualSystemCollection', 'ResourceAllocationSection', 'AnnotationSection', 'ProductSection', 'EulaSection'],
  ...['StartupSection', 'OperatingSystemSection', 'InstallSection', 'VirtualHardwareSection', 'Info', 'Name'],
  ...['EnvironmentFilesSection', 'BootDeviceSection', 'ScaleOutSection', 'PlacementGroupSection', 'PlacementSection'],
]);
/** VMware's own, which its exporters do not always mark as optional. */
const KNOWN_VMWARE = new Set([
  'BootOrderSection',
  'IpAssignmentSection',
  'StorageGroupSection',
  'CpuCompatibilitySection',
]);

/**
 * Reads an OVF descriptor (DSP0243, versions 1 and 2) as VMware's products, VirtualBox and vCloud write it.
 * @param name for messages
 * @throws StackferryError `package.bad_ovf` for what cannot be right, `package.ovf_unsupported` for what is asked for and
 * not done here (unknown required sections, encryption, delta disks), `disk.too_large`
 */
export function readOvf(bytes: Uint8Array, name: string): OvfEnvelope {
  const root = parseXml(bytes, name);
  if (root.name !== 'Envelope' || !isOvf(root.ns)) {
    const place = `its root element ${JSON.stringify(root.name.slice(0, 80))}`;
    if (root.name === 'Envelope') throw unsupportedOvf(name, place, 'is of no version of OVF that is known (1 or 2)');
    throw badOvf(name, place, 'it is no OVF descriptor');
  }
  refuseUnknown(root, name, 'Envelope');
  const files = readFiles(root, name);
  const disks = readDisks(root, files, name);
  const configuration = chosenConfiguration(root);
  const machines: OvfMachine[] = [];
  collect(root, machines, disks, { name, configuration, depth: 0 });
  if (machines.length === 0) throw badOvf(name, 'Envelope', 'it has no virtual system');
  const twice = repeated(machines.map(({ id }) => id));
  if (twice !== null) throw badOvf(name, `VirtualSystem ${twice}`, 'the id stands twice');
  const networks = children(root, 'NetworkSection')
    .flatMap((section) => children(section, 'Network'))
    .map((network) => attribute(network, 'name') ?? '')
    .filter((network) => network !== '');
  return { files, disks, networks, machines, configuration };
}

function refuseUnknown(parent: XmlElement, name: string, place: string): void {
  for (const child of parent.children) {
    const label = `${place}/${child.name}`;
    if (child.name === 'EncryptionSection' || child.name === 'CryptoSection') {
      throw unsupportedOvf(name, label, 'the package is encrypted');
    }
    if (isOvf(child.ns) ? KNOWN.has(child.name) : isVmware(child.ns) && KNOWN_VMWARE.has(child.name)) continue;
    if (isVirtualBox(child.ns) || !isRequired(child)) continue;
    throw unsupportedOvf(name, label, 'the section is required (ovf:required) and not known here');
  }
}

function readFiles(root: XmlElement, name: string): OvfFile[] {
  const elements = children(root, 'References').flatMap((section) => children(section, 'File'));
  if (elements.length > MAX_FILES) throw badOvf(name, 'References', `more than ${MAX_FILES} files`);
  const files = elements.map((element): OvfFile => {
    const id = attribute(element, 'id') ?? '';
    const place = `References/File ${JSON.stringify(id)}`;
    const href = attribute(element, 'href') ?? '';
    if (id === '' || href === '') throw badOvf(name, place, 'it has no id or no href');
    const compression = attribute(element, 'compression') ?? 'identity';
    if (!/^(identity|gzip)?$/i.test(compression)) {
      throw unsupportedOvf(
        name,
        place,
        `it is compressed by ${JSON.stringify(compression.slice(0, 40))}; gzip is known`,
      );
    }
    const chunkBytes = count(element, 'chunkSize', name, place);
    if (chunkBytes === 0) throw badOvf(name, place, 'its parts have 0 bytes');
    return {
      id,
      href,
      bytes: count(element, 'size', name, place),
      compression: /gzip/i.test(compression) ? 'gzip' : null,
      chunkBytes,
    };
  });
  for (const key of ['id', 'href'] as const) {
    const twice = repeated(files.map((file) => file[key]));
    if (twice !== null) throw badOvf(name, 'References', `${key} ${JSON.stringify(twice)} stands twice`);
  }
  return files;
}

function count(element: XmlElement, key: string, name: string, place: string): number | null {
  const text = attribute(element, key);
  if (text === null) return null;
  const value = inBytes(text, null);
  if (value === null) throw badOvf(name, place, `${key} ${JSON.stringify(text.slice(0, 40))} is no size`);
  return value;
}

function readDisks(root: XmlElement, files: readonly OvfFile[], name: string): OvfDisk[] {
  const elements = children(root, 'DiskSection').flatMap((section) => children(section, 'Disk'));
  const disks = elements.map((element): OvfDisk => {
    const id = attribute(element, 'diskId') ?? '';
    const place = `DiskSection/Disk ${JSON.stringify(id)}`;
    if (id === '') throw badOvf(name, place, 'it has no diskId');
    if (attribute(element, 'parentRef') !== null) throw unsupportedOvf(name, place, 'it is a delta over another disk');
    const fileRef = attribute(element, 'fileRef');
    const file = files.find((known) => known.id === fileRef) ?? null;
    if (fileRef !== null && file === null) {
      throw badOvf(name, place, `its file ${JSON.stringify(fileRef.slice(0, 80))} is not in References`);
    }
    const capacity = attribute(element, 'capacity') ?? '';
    if (capacity.includes('${')) throw unsupportedOvf(name, place, 'its capacity is a property to be asked for');
    const units = attribute(element, 'capacityAllocationUnits');
    const capacityBytes = inBytes(capacity, units);
    if (capacityBytes === null || capacityBytes === 0) {
      const told = `${capacity.slice(0, 40)} ${units?.slice(0, 40) ?? ''}`.trim();
      throw badOvf(name, place, `its capacity ${JSON.stringify(told)} is no size`);
    }
    if (capacityBytes > MAX_DISK_BYTES) {
      throw badOvf(
        name,
        place,
        `its capacity is ${formatBytes(capacityBytes)}; ${MAX_DISK_BYTES / TIB} TiB is the limit`,
      );
    }
    const unitBytes = Number(allocationUnit(units ?? 'byte') ?? 1n);
    const populatedBytes = count(element, 'populatedSize', name, place);
    // Writers count what their own file system has taken for it, which may be a little more than the disk.
    if (populatedBytes !== null && populatedBytes > capacityBytes * 1.1 + 2 ** 24) {
      throw badOvf(name, place, `it holds ${populatedBytes} bytes, more than its capacity of ${capacityBytes}`);
    }
    return { id, file, capacityBytes, unitBytes, populatedBytes, format: attribute(element, 'format') };
  });
  const twice = repeated(disks.map(({ id }) => id));
  if (twice !== null) throw badOvf(name, 'DiskSection', `the diskId ${JSON.stringify(twice)} stands twice`);
  const twiceFile = repeated(disks.flatMap(({ file }) => (file === null ? [] : [file.id])));
  if (twiceFile !== null) throw badOvf(name, 'DiskSection', `two disks name the file ${JSON.stringify(twiceFile)}`);
  return disks;
}

/** The default of DeploymentOptionSection, or its first; null where there is none to choose. */
function chosenConfiguration(root: XmlElement): string | null {
  const all = children(root, 'DeploymentOptionSection').flatMap((section) => children(section, 'Configuration'));
  const chosen = all.find((item) => /^(true|1)$/i.test(attribute(item, 'default') ?? '')) ?? all[0];
  return chosen ? attribute(chosen, 'id') : null;
}

interface Where {
  name: string;
  configuration: string | null;
  depth: number;
}

function collect(parent: XmlElement, into: OvfMachine[], disks: readonly OvfDisk[], where: Where): void {
  for (const child of parent.children) {
    if (!isOvf(child.ns)) continue;
    if (child.name === 'VirtualSystem') {
      const place = `VirtualSystem ${JSON.stringify(attribute(child, 'id') ?? textOf(child, 'Name') ?? '')}`;
      refuseUnknown(child, where.name, place);
      into.push(readMachine(child, disks, { ...where, place }));
      if (into.length > MAX_MACHINES) throw badOvf(where.name, place, `more than ${MAX_MACHINES} virtual systems`);
    } else if (child.name === 'VirtualSystemCollection') {
      const place = `VirtualSystemCollection ${JSON.stringify(attribute(child, 'id') ?? '')}`;
      if (where.depth === MAX_NESTING)
        throw badOvf(where.name, place, `more than ${MAX_NESTING} collections in one another`);
      refuseUnknown(child, where.name, place);
      collect(child, into, disks, { ...where, depth: where.depth + 1 });
    }
  }
}

function repeated(values: readonly string[]): string | null {
  return values.find((value, at) => values.indexOf(value) !== at) ?? null;
}
