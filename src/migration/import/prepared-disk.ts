import { throwIfAborted, type Context } from '../../core/index.js';
import { openGuestDisk, type GuestDisk } from '../../convert/index.js';
import { assertCapacity, type Expected, type PackageDisk } from '../../convert/package/index.js';
import {
  RangeList,
  RangeListBuilder,
  isZero,
  onlyWanted,
  withZeros,
  type DiskSource,
  type VmdkKind,
} from '../../disk/index.js';
import type { Spool } from './spool.js';

/** A disk of a package that can be read at any place. */
export interface PreparedDisk {
  /** What qemu-img reads, and what is packed, counts as flat. */
  readonly kind: VmdkKind;
  readonly chain: readonly string[];
  readonly source: DiskSource;
  close(): Promise<void>;
}

const NOTHING_TO_CLOSE = () => Promise.resolve();

/**
 * Makes a disk of a package one that can be read at any place. One that qemu-img reads and that lies elsewhere is copied
 * to the spool first.
 * @throws StackferryError what the package's reading throws, `convert.unsafe_source`, `converter.space`
 */
export async function prepareDisk(
  disk: PackageDisk,
  expected: Pick<Expected, 'capacityBytes' | 'unitBytes'>,
  spool: Spool,
  ctx: Context,
): Promise<PreparedDisk> {
  if (disk.access === 'any') return { ...disk, close: NOTHING_TO_CLOSE };
  if (disk.access === 'stream') {
    return { kind: 'flat', chain: [disk.name], source: packedSource(disk, ctx), close: NOTHING_TO_CLOSE };
  }
  const guest = await openGuestDisk(disk.path ?? (await spooled(disk, spool, ctx)), disk.format, ctx);
  assertGuest(disk.name, guest, expected);
  return { kind: 'flat', chain: [disk.name], source: guest.source, close: () => guest.close() };
}

function assertGuest(name: string, guest: GuestDisk, expected: Pick<Expected, 'capacityBytes' | 'unitBytes'>): void {
  assertCapacity(name, guest.capacityBytes, { ...expected, isGzip: false, isRaw: false });
}

async function spooled(disk: PackageDisk & { access: 'file' }, spool: Spool, ctx: Context): Promise<string> {
  const path = await spool.path(disk.name, disk.bytes);
  ctx.events.emit({
    kind: 'notice',
    message: `${disk.name} (${disk.format}) is copied to ${path}, for qemu-img reads files only; it is removed in the end.`,
  });
  await disk.copyTo(path, ctx.signal);
  return path;
}

/**
 * A packed disk: each reading unpacks it from its start. Where its data lies is seen by a pass of its own, which also
 * proves that it can be unpacked to its end before anything of it is sent.
 */
function packedSource(disk: PackageDisk & { access: 'stream' }, ctx: Context): DiskSource {
  let ranges: Promise<RangeList> | null = null;
  const scan = async () => {
    const found = new RangeListBuilder();
    for await (const { offset, bytes } of (await disk.open()).pieces) {
      throwIfAborted(ctx.signal);
      if (!isZero(bytes)) found.add(offset, bytes.length);
    }
    return found.build();
  };
  return {
    capacityBytes: disk.capacityBytes,
    dataRanges: () => (ranges ??= scan()),
    async *pieces(wanted) {
      yield* onlyWanted(withZeros((await disk.open()).pieces, disk.capacityBytes), wanted);
    },
  };
}

/** A disk that a descriptor names without any content. */
export function emptyDisk(name: string, capacityBytes: number): PreparedDisk {
  const source: DiskSource = {
    capacityBytes,
    dataRanges: () => Promise.resolve(RangeList.empty),
    pieces: (wanted) => onlyWanted(withZeros(noPieces(), capacityBytes), wanted),
  };
  return { kind: 'flat', chain: [name], source, close: NOTHING_TO_CLOSE };
}

async function* noPieces(): AsyncGenerator<never> {
  // A disk without content has none.
}
