import { StackferryError, throwIfAborted, type Context } from '../../core/index.js';
import type { Package } from '../../convert/package/index.js';
import { cutAtChunks, type DiskPiece, type DiskSource } from '../../disk/index.js';
import { totalsOf, type DiskDoor, type SourceDisk, type SourceDisks } from '../../esxi/index.js';
import type { PreparedDisk } from './prepared-disk.js';

/** The disks of a package's VMs by the path that their records have. */
type PreparedDisks = ReadonlyMap<string, PreparedDisk>;

/**
 * Reads the disks of packages whose files can be read at any place. Files on this machine are compared with their
 * manifest before a byte leaves; those behind a URL as they are read: the last look at the source ends that.
 */
export function packageDisks(packages: readonly Package[], prepared: PreparedDisks, isRemote: boolean): DiskDoor {
  return {
    plan: async (_vm, records, ctx) => {
      const states = await statesOf(packages);
      if (!isRemote) await verifyAll(packages, ctx);
      const disks = records.map((record): SourceDisk => {
        const disk = prepared.get(record.path ?? '');
        if (!disk) throw new Error(`no disk ${record.label} in the package`);
        return sourceDisk(record.label, disk, states, record.allocated_bytes);
      });
      return {
        disks,
        ...totalsOf(disks),
        recheck: async (own) => {
          if (isRemote) await verifyAll(packages, own);
          const now = new Map(await statesOf(packages));
          for (const [name, state] of states) if (now.get(name) !== state) throw changed(name);
        },
      } satisfies SourceDisks;
    },
  };
}

function sourceDisk(
  label: string,
  { kind, chain, source }: PreparedDisk,
  tokens: SourceDisk['tokens'],
  allocatedBytes: number | null,
): SourceDisk {
  return {
    label,
    kind,
    capacityBytes: source.capacityBytes,
    bytes: allocatedBytes ?? source.capacityBytes,
    allocatedBytes,
    chain,
    tokens,
    open: () =>
      Promise.resolve({
        notes: [],
        dataRanges: () => source.dataRanges(),
        pieces: (wanted, { pace }) => paced(source.pieces(wanted), pace),
      }),
    copy: () => Promise.reject(noCopy(label)),
  };
}

type Pace = ((bytes: number) => Promise<void> | undefined) | undefined;

/** The pieces as a run takes them: cut at the chunks, and no faster than it may. */
export async function* paced(pieces: AsyncIterable<DiskPiece>, pace: Pace): AsyncGenerator<DiskPiece> {
  for await (const piece of cutAtChunks(pieces)) {
    await pace?.(piece.bytes.length);
    yield piece;
  }
}

/** Files of a package are here already, in a form of their own. */
export function noCopy(label: string): StackferryError {
  return new StackferryError('import.no_export', `The files of ${label} come from a package and are not exported.`, {
    hint: 'Convert them where they lie: stackferry convert FILE',
    exitCode: 2,
  });
}

async function statesOf(packages: readonly Package[]): Promise<[string, string][]> {
  return (await Promise.all(packages.map((one) => one.states()))).flat();
}

async function verifyAll(packages: readonly Package[], ctx: Context): Promise<void> {
  for (const one of packages) {
    const total = await one.bytesToVerify();
    if (total === 0) continue;
    const task = `manifest:${one.name}`;
    const start = ctx.clock.now();
    let done = 0;
    let ok = false;
    ctx.events.emit({ kind: 'bytes.started', task, label: `compare ${one.name} with its manifest`, total, done });
    try {
      await one.verify((bytes) => {
        throwIfAborted(ctx.signal);
        done += bytes;
        ctx.events.emit({ kind: 'bytes.progress', task, done, total });
      });
      ok = true;
    } finally {
      ctx.events.emit({ kind: 'bytes.finished', task, done, seconds: (ctx.clock.now() - start) / 1000, ok });
    }
  }
}

function changed(name: string): StackferryError {
  return new StackferryError('vm.changed_during_copy', `${name} was changed while it was read.`, {
    hint: 'What was read is not used. See that nothing writes to it and run the same command again.',
  });
}

/** What the tables of a disk say that it holds. */
export async function heldBytes(source: DiskSource): Promise<number> {
  return (await source.dataRanges()).bytes;
}
