import { createHash } from 'node:crypto';
import { StackferryError, type Context } from '../../core/index.js';
import type { StreamedMember, StreamedOva } from '../../convert/package/index.js';
import { RangeList, onlyWanted, withZeros } from '../../disk/index.js';
import { totalsOf, type DiskDoor, type DiskRecord, type OpenDisk, type SourceDisk } from '../../esxi/index.js';
import { noCopy, paced } from './disks.js';
import { emptyDisk } from './prepared-disk.js';

/** What the record of a streamed disk has for a path: `NAME:ID`, with the id of the descriptor. */
export function streamedPath(ova: StreamedOva, id: string): string {
  return `${ova.name}:${id}`;
}

/** Reads the disks of an OVA as they come: each once, in the archive's order; nothing of them is stored. */
export function streamedDisks(ova: StreamedOva): DiskDoor {
  const state = createHash('sha256').update(JSON.stringify(ova.ovf)).digest('hex');
  const reader = new StreamReader(ova);
  return {
    plan: (_vm, records) => {
      const order = records.map((record) => fileIndex(ova, record)).filter((index) => index >= 0);
      if (order.some((index, at) => at > 0 && index < (order[at - 1] ?? 0)))
        return Promise.reject(outOfOrder(ova.name));
      const disks = records.map((record) => new StreamedSource(ova, reader, record, [[ova.name, state]]));
      return Promise.resolve({ disks, ...totalsOf(disks), recheck: (ctx: Context) => reader.finish(ctx) });
    },
  };
}

function diskOf({ ovf, name }: StreamedOva, { path }: DiskRecord) {
  const disk = ovf.disks.find(({ id }) => `${name}:${id}` === path);
  if (!disk) throw new Error(`no disk ${path ?? ''} in ${name}`);
  return disk;
}

/** The order of References is that of the archive (DSP0243, 5.3); a disk without a file has no place: -1. */
function fileIndex(ova: StreamedOva, record: DiskRecord): number {
  const { file } = diskOf(ova, record);
  return file === null ? -1 : ova.ovf.files.findIndex(({ id }) => id === file.id);
}

/** The one reader of the archive. */
class StreamReader {
  readonly #ova: StreamedOva;
  readonly #members: AsyncGenerator<StreamedMember>;
  #current: StreamedMember | null = null;
  readonly #passed = new Set<string>();
  #isEnded = false;

  constructor(ova: StreamedOva) {
    this.#ova = ova;
    this.#members = ova.disks();
  }

  /** Goes on to a disk; those before it are left out. */
  async to(id: string): Promise<StreamedMember> {
    while (this.#current?.disk.id !== id) {
      if (this.#passed.has(id) || this.#isEnded) throw spent(this.#ova.name);
      const next = await this.#members.next();
      if (next.done === true) {
        this.#isEnded = true;
        throw outOfOrder(this.#ova.name);
      }
      if (this.#current) this.#passed.add(this.#current.disk.id);
      this.#current = next.value;
    }
    return this.#current;
  }

  /** Called once a disk's bytes are on their way: they come no second time. */
  take(id: string): void {
    if (this.#passed.has(id)) throw spent(this.#ova.name);
    this.#passed.add(id);
  }

  /** To the archive's end, where all files were whole and are what the manifest says. */
  async finish(ctx: Context): Promise<void> {
    if (this.#isEnded) return;
    for (;;) if ((await this.#members.next()).done === true) break;
    this.#isEnded = true;
    for (const message of this.#ova.notes) ctx.events.emit({ kind: 'notice', message });
  }
}

class StreamedSource implements SourceDisk {
  readonly kind = 'flat';
  readonly label: string;
  readonly bytes: number;
  readonly allocatedBytes = null;
  readonly chain: readonly string[];
  readonly tokens: SourceDisk['tokens'];
  /** As the descriptor says, until the disk itself came. */
  capacityBytes: number;
  readonly #ova: StreamedOva;
  readonly #reader: StreamReader;
  readonly #record: DiskRecord;

  constructor(ova: StreamedOva, reader: StreamReader, record: DiskRecord, tokens: SourceDisk['tokens']) {
    this.label = record.label;
    this.capacityBytes = record.capacity_bytes ?? 0;
    this.bytes = this.capacityBytes;
    this.chain = record.chain;
    this.tokens = tokens;
    this.#ova = ova;
    this.#reader = reader;
    this.#record = record;
  }

  async open(): Promise<OpenDisk> {
    const disk = diskOf(this.#ova, this.#record);
    if (disk.file === null) {
      const { source } = emptyDisk(this.label, disk.capacityBytes);
      return {
        notes: [],
        dataRanges: () => source.dataRanges(),
        pieces: (wanted, { pace }) => paced(source.pieces(wanted), pace),
      };
    }
    const { stream } = await this.#reader.to(disk.id);
    const { capacityBytes } = stream;
    this.capacityBytes = capacityBytes;
    const reader = this.#reader;
    return {
      notes: ['it comes as a stream, so it is read whole'],
      dataRanges: () => Promise.resolve(RangeList.from([{ offset: 0, length: capacityBytes }])),
      pieces: async function* (wanted, { pace }) {
        reader.take(disk.id);
        yield* paced(onlyWanted(withZeros(stream.pieces, capacityBytes), wanted), pace);
      },
    };
  }

  copy(): Promise<never> {
    return Promise.reject(noCopy(this.label));
  }
}

function spent(name: string): StackferryError {
  return new StackferryError(
    'import.stream_spent',
    `${name} came as a stream, and what is wanted of it has passed by.`,
    {
      hint: 'Send it again by the same command, or put it into a file, which can be read again where it was cut off.',
    },
  );
}

function outOfOrder(name: string): StackferryError {
  return new StackferryError(
    'package.needs_file',
    `The disks of ${name} do not come in the order in which the VM has them.`,
    {
      hint: 'Put it into a file and give that.',
    },
  );
}
