import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';

import type {
  ControllerKind,
  DatastoreSpec,
  DeltaFormat,
  DiskSpec,
  HostSpec,
  NicSpec,
  PortGroupSpec,
  SnapshotSpec,
  VmSpec,
} from '../spec.js';
import { baseLayer, deltaLayer, type Layer } from './content.js';

const GIB = 1024 ** 3;

export interface Link {
  /** Descriptor's file name. */
  file: string;
  /** Extent's file name. */
  extent: string;
  format: 'flat' | 'rdm' | DeltaFormat;
  cid: string;
  parentCid: string;
}

export interface Disk {
  spec: DiskSpec;
  sizeBytes: number;
  controller: ControllerKind;
  bus: number;
  unit: number;
  /** `scsi0:0`, `sata0:1`, `nvme0:0`, `ide0:0`. */
  label: string;
  datastore: Datastore;
  folder: string;
  thin: boolean;
  mode: NonNullable<DiskSpec['mode']>;
  uuid: string;
  links: Link[];
  layers: Layer[];
}

export interface Nic {
  spec: NicSpec;
  index: number;
  model: NonNullable<NicSpec['model']>;
  mac: string;
  addressType: NonNullable<NicSpec['addressType']>;
  startConnected: boolean;
}

export interface Vm {
  spec: VmSpec;
  id: number;
  name: string;
  datastore: Datastore;
  folder: string;
  /** Stem of the .vmx, .nvram, .vmsd. */
  file: string;
  uuid: string;
  guestId: string;
  vmxGuestOs: string;
  hardwareVersion: number;
  cpus: number;
  coresPerSocket: number;
  memoryMib: number;
  firmware: 'bios' | 'efi';
  power: 'on' | 'off' | 'suspended';
  tools: NonNullable<VmSpec['tools']>;
  disks: Disk[];
  nics: Nic[];
  snapshots: Required<SnapshotSpec>[];
}

export type PortGroup = PortGroupSpec;
export type Datastore = Required<DatastoreSpec>;

export interface Host {
  name: string;
  version: string;
  build: string;
  update: string;
  patch: string;
  uuid: string;
  license: string;
  shellTimeoutSeconds: number;
  shellInteractiveTimeoutSeconds: number;
  datastores: Datastore[];
  vswitches: { name: string; uplinks: string[]; promiscuous: boolean; portGroups: PortGroupSpec[] }[];
  vms: Vm[];
}

/** Hex digits that depend on the words alone. */
export function hex(digits: number, ...words: (string | number)[]): string {
  return createHash('sha256').update(words.join('\0')).digest('hex').slice(0, digits);
}

/** `56 4d 99 89 a7 21 91 0d-cc 28 e2 db d5 4b 2b 8c`, VMware's way to write 16 bytes. */
export function spacedUuid(uuid: string): string {
  const bytes = uuid.replaceAll('-', '').match(/../g) ?? [];
  return `${bytes.slice(0, 8).join(' ')}-${bytes.slice(8).join(' ')}`;
}

const dashed = (digits: string) =>
  [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20, 32)].join('-');

// A content id is any number but the two that mean "none" and "never written".
function contentId(...words: (string | number)[]): string {
  const cid = hex(8, 'cid', ...words);
  return cid.startsWith('fffffff') ? '0badc1d0' : cid;
}

function datastore(spec: DatastoreSpec): Datastore {
  const type = spec.type ?? 'VMFS-6';
  const capacityBytes = spec.capacityBytes ?? (type === 'vfat' ? 4293591040 : 224 * GIB);
  const id = hex(40, 'datastore', spec.name, type);
  const uuid = type.startsWith('NFS')
    ? `${id.slice(0, 8)}-${id.slice(8, 16)}`
    : `5e${id.slice(0, 6)}-${id.slice(6, 14)}-${id.slice(14, 18)}-4cedfb76e9d5`;
  return {
    name: spec.name,
    uuid: spec.uuid ?? uuid,
    type,
    capacityBytes,
    freeBytes: spec.freeBytes ?? Math.floor(capacityBytes * 0.75),
  };
}

// The words of guestOS in a .vmx differ from the API's guestId: `ubuntu-64` is ubuntu64Guest.
function vmxGuestOs(guestId: string): string {
  const known: Record<string, string> = {
    windows9Server64Guest: 'windows9srv-64',
    windows2019srv_64Guest: 'windows2019srv-64',
    other5xLinux64Guest: 'other5xlinux-64',
  };
  return (
    known[guestId] ??
    guestId
      .toLowerCase()
      .replace(/_?64guest$/, '-64')
      .replace(/guest$/, '')
  );
}

const BUS_WORD: Record<ControllerKind, 'scsi' | 'sata' | 'nvme' | 'ide'> = {
  pvscsi: 'scsi',
  lsilogic: 'scsi',
  lsisas1068: 'scsi',
  buslogic: 'scsi',
  ahci: 'sata',
  nvme: 'nvme',
  ide: 'ide',
};

interface VmFrame {
  spec: VmSpec;
  datastore: Datastore;
  folder: string;
  find: (name: string) => Datastore;
}

function resolveDisks(frame: VmFrame): Disk[] {
  const taken = new Set<string>();
  return (frame.spec.disks ?? []).map((spec, index) => {
    const controller = spec.controller ?? 'pvscsi';
    const word = BUS_WORD[controller];
    const bus = spec.bus ?? 0;
    let unit = spec.unit ?? 0;
    while (spec.unit === undefined && (taken.has(`${word}${bus}:${unit}`) || (word === 'scsi' && unit === 7)))
      unit += 1;
    const label = `${word}${bus}:${unit}`;
    if (taken.has(label)) throw new Error(`two disks of ${frame.spec.name} are at ${label}`);
    taken.add(label);

    const store = spec.datastore === undefined ? frame.datastore : frame.find(spec.datastore);
    const folder = spec.folder ?? frame.folder;
    const stem = frame.folder.split('/').at(-1) ?? frame.folder;
    const file = spec.file ?? `${stem}${index === 0 ? '' : `_${index}`}.vmdk`;
    const sizeBytes = spec.image === undefined ? spec.sizeBytes : Math.ceil(statSync(spec.image).size / 512) * 512;
    const seed = spec.seed ?? `${store.name}/${folder}/${file}`;
    const mode = spec.mode ?? 'persistent';
    const { links, layers } = chain({ frame, spec, file, sizeBytes, seed, store, inSnapshots: mode === 'persistent' });
    return {
      spec,
      sizeBytes,
      controller,
      bus,
      unit,
      label,
      datastore: store,
      folder,
      thin: spec.thin ?? true,
      mode,
      uuid: `6000c29${hex(25, 'disk', seed)}`,
      links,
      layers,
    };
  });
}

function chain(o: {
  frame: VmFrame;
  spec: DiskSpec;
  file: string;
  sizeBytes: number;
  seed: string;
  store: Datastore;
  inSnapshots: boolean;
}): { links: Link[]; layers: Layer[] } {
  const stem = o.file.replace(/\.vmdk$/, '');
  if (o.spec.rdm !== undefined) {
    const extent = `${stem}-rdm${o.spec.rdm === 'physical' ? 'p' : ''}.vmdk`;
    return {
      links: [{ file: o.file, extent, format: 'rdm', cid: 'fffffffe', parentCid: 'ffffffff' }],
      layers: [],
    };
  }
  const base = baseLayer({
    sizeBytes: o.sizeBytes,
    seed: o.seed,
    ...(o.spec.dataBytes === undefined ? {} : { dataBytes: o.spec.dataBytes }),
    ...(o.spec.mbr === undefined ? {} : { mbr: o.spec.mbr }),
    ...(o.spec.image === undefined ? {} : { image: o.spec.image }),
  });
  let below: Link = {
    file: o.file,
    extent: `${stem}-flat.vmdk`,
    format: 'flat',
    cid: contentId(o.seed, 0),
    parentCid: 'ffffffff',
  };
  const links = [below];
  const layers = [base];
  const levels = o.inSnapshots ? (o.frame.spec.snapshots ?? []).length : 0;
  for (let level = 1; level <= levels; level += 1) {
    const format =
      o.spec.deltas?.[level - 1] ?? o.spec.deltas?.at(-1) ?? (o.store.type === 'VMFS-5' ? 'vmfsSparse' : 'seSparse');
    const number = String(level).padStart(6, '0');
    const wrong = o.spec.fault === 'wrong-parent-cid' && level === levels;
    below = {
      file: `${stem}-${number}.vmdk`,
      extent: `${stem}-${number}-${format === 'vmfsSparse' ? 'delta' : 'sesparse'}.vmdk`,
      format,
      cid: contentId(o.seed, level),
      parentCid: wrong ? contentId(o.seed, 'another') : below.cid,
    };
    links.push(below);
    const untouched = o.frame.spec.snapshots?.[level - 1]?.untouched === true;
    layers.push(
      untouched ? { sizeBytes: o.sizeBytes, writes: [] } : deltaLayer({ below: base, seed: `${o.seed}@${level}` }),
    );
  }
  return { links, layers };
}

function resolveNics(spec: VmSpec, uuid: string): Nic[] {
  return (spec.nics ?? []).map((nic, index) => {
    // ESXi derives generated addresses from the bios uuid's last bytes and the NIC's number (see the recorded .vmx).
    const tail = (Number.parseInt(uuid.slice(-6), 16) + index * 10) & 0xffffff;
    const generated = `00:0c:29:${(tail.toString(16).padStart(6, '0').match(/../g) ?? []).join(':')}`;
    return {
      spec: nic,
      index,
      model: nic.model ?? 'vmxnet3',
      mac: nic.mac ?? generated,
      addressType: nic.addressType ?? (nic.mac === undefined ? 'generated' : 'static'),
      startConnected: nic.startConnected ?? true,
    };
  });
}

/** Fills in everything that the spec leaves out. */
export function resolveHost(spec: HostSpec): Host {
  const datastores = (spec.datastores ?? [{ name: 'datastore1' }]).map(datastore);
  const find = (name: string): Datastore => {
    const found = datastores.find((store) => store.name === name);
    if (found === undefined) throw new Error(`no datastore ${name} in the spec`);
    return found;
  };
  const used = new Set(spec.vms.map((one) => one.id));
  let next = 1;
  const vms = spec.vms.map((one): Vm => {
    while (used.has(next)) next += 1;
    const id = one.id ?? next++;
    const store = one.datastore === undefined ? datastores[0] : find(one.datastore);
    if (store === undefined) throw new Error('a host without datastores can hold no VM');
    const folder = one.folder ?? one.name.replaceAll('/', '_');
    const uuid = one.uuid ?? dashed(`564d${hex(28, 'vm', store.name, folder)}`);
    const guestId = one.guestId ?? 'ubuntu64Guest';
    const power = one.power ?? 'off';
    return {
      spec: one,
      id,
      name: one.name,
      datastore: store,
      folder,
      file: one.file ?? folder.split('/').at(-1) ?? folder,
      uuid,
      guestId,
      vmxGuestOs: one.vmxGuestOs ?? vmxGuestOs(guestId),
      hardwareVersion: one.hardwareVersion ?? 19,
      cpus: one.cpus ?? 1,
      coresPerSocket: one.coresPerSocket ?? 1,
      memoryMib: one.memoryMib ?? 512,
      firmware: one.firmware ?? 'bios',
      power,
      tools: one.tools ?? 'running',
      disks: resolveDisks({ spec: one, datastore: store, folder, find }),
      nics: resolveNics(one, uuid),
      snapshots: (one.snapshots ?? []).map((snapshot, level) => ({
        name: snapshot.name,
        description: snapshot.description ?? '',
        createdOn: snapshot.createdOn ?? `10/${level + 1}/2026 19:0:52`,
        state: snapshot.state ?? 'off',
        untouched: snapshot.untouched ?? false,
      })),
    };
  });
  return {
    name: spec.name ?? 'esx1',
    version: spec.version ?? '8.0.3',
    build: spec.build ?? '24677879',
    update: spec.update ?? '3',
    patch: spec.patch ?? '70',
    uuid: spec.uuid ?? '4c4c4544-004e-5610-804c-b7c04f534258',
    license: spec.license ?? 'esxBasic',
    shellTimeoutSeconds: spec.shellTimeoutSeconds ?? 0,
    shellInteractiveTimeoutSeconds: spec.shellInteractiveTimeoutSeconds ?? 0,
    datastores,
    vswitches: (
      spec.vswitches ?? [{ name: 'vSwitch0', portGroups: [{ name: 'VM Network' }, { name: 'Management Network' }] }]
    ).map((one, index) => ({
      name: one.name,
      uplinks: one.uplinks ?? [`vmnic${index}`],
      promiscuous: one.promiscuous ?? false,
      portGroups: one.portGroups,
    })),
    vms,
  };
}
