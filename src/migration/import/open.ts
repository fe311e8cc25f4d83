import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { StackferryError, UsageError, messageOf, quoteForHint, type Context } from '../../core/index.js';
import type { OvfDisk, OvfEnvelope } from '../../convert/ovf/index.js';
import {
  Package,
  openPackage,
  openStreamedOva,
  type Expected,
  type PackageDisk,
  type StreamedOva,
} from '../../convert/package/index.js';
import { readVmxMachine, type EsxiHost, type FoundDisk, type VmRecord } from '../../esxi/index.js';
import { STDIN, isUrl, packageName, type BareHardware, type PackageAddress } from './address.js';
import { heldBytes, packageDisks } from './disks.js';
import { packageHost } from './host.js';
import { emptyDisk, prepareDisk, type PreparedDisk } from './prepared-disk.js';
import { Spool } from './spool.js';
import { streamedDisks, streamedPath } from './streamed.js';
import { bareLabel, bareRecord, machineId, ovfRecord } from './vm-records.js';

export interface ImportDoor {
  ctx: Context;
  /** The URLs as they were given, with their secrets, by the name under which the journal knows them. */
  urls: ReadonlyMap<string, string>;
  /** The proxy for a URL; null: none. */
  proxyFor: (url: URL) => string | null;
  /** What `-` stands for; null where there is none. */
  stdin: AsyncIterable<Uint8Array> | null;
}

const MAX_BARE = 15;
const NOTHING_TOLD = { capacityBytes: null, unitBytes: 1 };
/** How ESXi spells a file on any of its datastores. */
const ON_DATASTORE = /^(?:\/vmfs\/volumes\/.*\/|\[[^\]]*\] (?:.*\/)?)/s;

/**
 * Opens files of VMs in the place of a host. Every disk of them is looked at; what lies in a descriptor or leads out of
 * the package is refused here, before anything is asked of the cloud.
 * @throws StackferryError `package.*`, `disk.*`, `convert.*`, `esxi.bad_vmx`, `import.stream_spent`; UsageError where options and
 * files do not go together
 */
export async function openImport(address: PackageAddress, door: ImportDoor): Promise<EsxiHost> {
  const opening = new Opening(address, door);
  try {
    return await opening.open();
  } catch (error) {
    await opening.close();
    throw error;
  }
}

class Opening {
  readonly #address: PackageAddress;
  readonly #door: ImportDoor;
  readonly #name: string;
  readonly #spool = new Spool();
  readonly #packages: Package[] = [];
  /** By the path in their records: two VMs may share a disk. */
  readonly #disks = new Map<string, PreparedDisk>();

  constructor(address: PackageAddress, door: ImportDoor) {
    this.#address = address;
    this.#door = door;
    this.#name = packageName(address);
  }

  async open(): Promise<EsxiHost> {
    const { given } = this.#address;
    for (const one of given) {
      const opened = await this.#openOne(one);
      if (opened instanceof Package) {
        this.#packages.push(opened);
        for (const message of opened.notes) this.#door.ctx.events.emit({ kind: 'notice', message });
        continue;
      }
      if (given.length > 1) {
        await opened.close();
        throw together(one);
      }
      try {
        return this.#streamed(opened);
      } catch (error) {
        await opened.close();
        throw error;
      }
    }
    const vms = await this.#records();
    const isRemote = given.some(isUrl);
    return packageHost({
      name: this.#name,
      vms,
      disks: packageDisks(this.#packages, this.#disks, isRemote),
      close: () => this.close(),
    });
  }

  async close(): Promise<void> {
    for (const disk of this.#disks.values()) await disk.close();
    for (const one of this.#packages) await one.close();
    await this.#spool.close();
  }

  async #openOne(one: string): Promise<Package | StreamedOva> {
    const { ctx, stdin, urls, proxyFor } = this.#door;
    if (one !== STDIN) {
      const { cacert } = this.#address;
      const ca = cacert === null ? {} : { ca: await authorities(cacert) };
      return openPackage(urls.get(one) ?? one, { ctx, proxyFor, ...ca });
    }
    if (stdin) return openStreamedOva(stdin, 'stdin');
    throw new StackferryError('import.stream_spent', 'The OVA came by stdin, and is not there any more.', {
      hint: 'Send it again: stackferry import - < FILE.ova',
    });
  }

  async #records(): Promise<VmRecord[]> {
    const [first, ...more] = this.#packages;
    if (!first) throw new UsageError('No file is named.');
    if (first.kind === 'disk') return [await this.#bare(this.#hardware())];
    const [other] = more;
    if (other) throw together(other.kind === 'disk' ? first.name : other.name);
    this.#refuseHardware(first.name);
    if (first.ovf) return this.#ovfVms(first, first.ovf);
    return [await this.#vmxVm(first)];
  }

  #hardware(): BareHardware {
    return this.#address.hardware ?? { cpus: null, memory_mib: null, firmware: 'bios', guest_id: null, nics: 1 };
  }

  #refuseHardware(name: string): void {
    if (this.#address.hardware === null) return;
    throw new UsageError(
      `${name} says what its VM is like, so --cpus, --memory, --firmware, --guest-id and --nics do not go with it.`,
      'Leave them out; --flavor chooses another size.',
    );
  }

  async #bare(hardware: BareHardware): Promise<VmRecord> {
    const packages = this.#packages;
    if (packages.length > MAX_BARE)
      throw new UsageError(`${packages.length} disks are given, and a VM has ${MAX_BARE} at most.`);
    const disks = [];
    for (const [index, one] of packages.entries()) {
      if (one.kind !== 'disk') throw together(one.name);
      const found = await this.#prepared(one.name, () => one.disk(undefined, this.#address.raw), NOTHING_TOLD);
      disks.push({ label: bareLabel(index), ...found });
    }
    const [where = ''] = this.#address.given;
    const name = decodeName(where).replace(/(?:\.(?:vmdk|qcow2|raw|img|vhdx?|vdi|gz))+$/i, '') || 'disk';
    return bareRecord(hardware, { id: machineId(this.#name, name), name, where: this.#name, disks });
  }

  async #ovfVms(of: Package, ovf: OvfEnvelope): Promise<VmRecord[]> {
    const vms: VmRecord[] = [];
    for (const machine of ovf.machines) {
      const found = new Map<string, FoundDisk>();
      for (const { label, disk } of machine.disks) found.set(label, await this.#ovfDisk(of, disk));
      vms.push(ovfRecord(machine, { id: machineId(this.#name, machine.id), where: this.#name, found }));
    }
    return vms;
  }

  #ovfDisk(of: Package, disk: OvfDisk): Promise<FoundDisk> {
    const path = `${of.name}:${disk.id}`;
    if (disk.file === null) {
      this.#disks.set(path, this.#disks.get(path) ?? emptyDisk(path, disk.capacityBytes));
      return this.#found(path);
    }
    return this.#prepared(path, () => of.ovfDisk(disk), disk);
  }

  async #vmxVm(of: Package): Promise<VmRecord> {
    if (!of.vmx) throw new Error(`${of.name} has no .vmx`);
    const machine = readVmxMachine(of.vmx, { id: machineId(this.#name, 'vmx'), where: of.name });
    const found = new Map<string, FoundDisk>();
    for (const { label, fileName } of machine.disks) {
      if (fileName === null) {
        throw new StackferryError('package.missing_file', `${of.name} names no file for ${label}.`, {
          hint: 'Copy the .vmx again, or take the disk out of it.',
        });
      }
      // The files of other datastores were put beside it, as those of the chain are.
      const name = fileName.replace(ON_DATASTORE, '');
      found.set(label, await this.#prepared(`${of.name}:${name}`, () => of.disk(name), NOTHING_TOLD));
    }
    return machine.record(found);
  }

  async #prepared(
    path: string,
    open: () => Promise<PackageDisk>,
    expected: Pick<Expected, 'capacityBytes' | 'unitBytes'>,
  ): Promise<FoundDisk> {
    if (!this.#disks.has(path)) {
      this.#disks.set(path, await prepareDisk(await open(), expected, this.#spool, this.#door.ctx));
    }
    return this.#found(path);
  }

  async #found(path: string): Promise<FoundDisk> {
    const disk = this.#disks.get(path);
    if (!disk) throw new Error(`the disk ${path} is not open`);
    const { kind, chain, source } = disk;
    return {
      path,
      capacity_bytes: source.capacityBytes,
      allocated_bytes: await heldBytes(source),
      kind,
      chain: [...chain],
    };
  }

  #streamed(ova: StreamedOva): EsxiHost {
    this.#refuseHardware(ova.name);
    const vms = ova.ovf.machines.map((machine) => {
      const found = new Map(
        machine.disks.map(({ label, disk }): [string, FoundDisk] => {
          const path = streamedPath(ova, disk.id);
          const told = { path, capacity_bytes: disk.capacityBytes, allocated_bytes: null };
          return [label, { ...told, kind: 'flat', chain: [path] }];
        }),
      );
      return ovfRecord(machine, { id: machineId(this.#name, machine.id), where: this.#name, found });
    });
    return packageHost({ name: this.#name, vms, disks: streamedDisks(ova), close: () => ova.close() });
  }
}

function together(name: string): UsageError {
  return new UsageError(
    `${name} is no bare disk, and several files are the disks of one VM.`,
    `Give it alone: stackferry import ${quoteForHint(name)}`,
  );
}

function decodeName(given: string): string {
  const name = basename(given);
  if (!isUrl(given)) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

async function authorities(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new StackferryError('file.unreadable', `The authorities ${path} cannot be read: ${messageOf(error)}.`, {
      hint: '--cacert names a PEM file.',
      cause: error,
    });
  }
}
