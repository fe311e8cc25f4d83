import { KIB, MIB, formatBytes, retry, throwIfAborted, type Context } from '../../core/index.js';
import { RangeList, isZero, type Range } from '../../disk/index.js';
import { BlockMapParser, type BlockMap } from '../parse/block-map.js';
import { command, path, type RemoteShell } from '../ssh/index.js';
import { fileRead, type RemoteFile } from './file-read.js';
import { lastLine, mayGoAway, readLost } from '../read-error.js';
import { ReadStream } from './read-stream.js';

/** Whether ranges that the host's block map calls empty are left unread: after a look at some of them, always, never. */
export type TrustMap = 'auto' | 'always' | 'never';

/** Which ranges of a flat file hold data, as far as that can be relied upon. */
export interface Allocation {
  /** Null: all of it must be read. */
  data: RangeList | null;
  /** For a person: what was relied upon, or why nothing could be. */
  why: string;
}

/** So much of each sampled place is read. */
const SAMPLE_BYTES = 64 * KIB;
/**
 * What the datastore may hold beyond what the map tells of. A VMFS counts blocks of 1 MiB, so the last one of a file may
 * reach beyond its end; should it count pointer blocks, too, these are at most 64 KiB for each GiB, an NFS server's own
 * tables of extents about as much: room for four times that. Too little costs time alone: the whole file is then read.
 */
const SLACK_BYTES = 2 * MIB;
const SLACK_SHARE = 1 / 4096;
/** Sampled places of each kind of emptiness. */
const SAMPLES = 16;

/**
 * Asks the host which blocks of a flat file hold data (`vmkfstools -t0`). The answer is a hint: unless it covers the
 * file exactly, agrees with what the datastore holds of the file, and (with `auto`) a sample of what it calls empty has
 * been read and found zero, the whole file counts as data.
 *
 * @param descriptor path of the descriptor on the host whose only extent the file is
 * @param allocatedBytes what the datastore holds of the file; null where unknown
 */
export async function readAllocation(
  shell: RemoteShell,
  descriptor: string,
  file: RemoteFile & { allocatedBytes: number | null },
  trust: TrustMap,
  ctx: Context,
): Promise<Allocation> {
  const all = (why: string): Allocation => ({ data: null, why });
  if (trust === 'never') return all('the block map is not used (--trust-map never)');
  const policy = { attempts: 5, delayMs: 1000, maxDelayMs: 10_000, retryable: mayGoAway };
  const map = await retry(ctx, { ...policy, what: `block map of ${descriptor}` }, () =>
    readMap(shell, descriptor, file.bytes, ctx),
  );
  if (typeof map === 'string') return all(`there is no usable block map: ${map}`);
  const held = map.data.bytes + map.zeroed.bytes;
  const slack = SLACK_BYTES + held * SLACK_SHARE;
  if (file.allocatedBytes !== null && file.allocatedBytes > held + slack) {
    const [told, kept] = [formatBytes(held), formatBytes(file.allocatedBytes)];
    return all(`the block map tells of ${told}, and the datastore holds ${kept}`);
  }
  const empty = file.bytes - map.data.bytes;
  if (empty === 0) return all('the block map names no empty range');
  if (trust === 'always') return { data: map.data, why: 'the block map is relied upon unseen (--trust-map always)' };
  const places = [...samplesOf(map.zeroed), ...samplesOf(map.absent)].sort((one, other) => one.offset - other.offset);
  const odd = await retry(ctx, { ...policy, what: `samples of ${file.path}` }, () =>
    firstWithData(shell, file, places, ctx),
  );
  if (odd !== null) return all(`the block map calls byte ${odd} empty, and it is not`);
  return { data: map.data, why: `by the block map; ${places.length} places that it calls empty were read and are` };
}

async function readMap(
  shell: RemoteShell,
  descriptor: string,
  bytes: number,
  ctx: Context,
): Promise<BlockMap | string> {
  const running = await shell.stream(command('vmkfstools', '-t0', path(descriptor)), { signal: ctx.signal });
  const parser = new BlockMapParser(bytes);
  try {
    for await (const chunk of running.stdout as AsyncIterable<Buffer>) parser.push(chunk.toString('latin1'));
  } catch (error) {
    throwIfAborted(ctx.signal);
    throw readLost(descriptor, 'while its block map came', error);
  }
  throwIfAborted(ctx.signal);
  const { exitCode, stderr } = await running.finished;
  if (exitCode === null) throw readLost(descriptor, 'while its block map came');
  if (exitCode !== 0) {
    return lastLine(stderr).slice(0, 160) || 'vmkfstools ended without a word';
  }
  return parser.end();
}

/** Places to look at: the first and the last, and some in between by chance, a large range the likelier. */
export function samplesOf(list: RangeList): Range[] {
  if (list.count === 0) return [];
  const places = new Map<number, Range>();
  const add = (range: Range, at: number) => {
    // On a boundary of the sample's size, so that a read is never larger than that.
    const offset = Math.max(range.offset, Math.floor(at / SAMPLE_BYTES) * SAMPLE_BYTES);
    places.set(offset, { offset, length: Math.min(SAMPLE_BYTES, range.offset + range.length - offset) });
  };
  const chosen = Array.from({ length: SAMPLES - 2 }, () => Math.random() * list.bytes).sort((a, b) => a - b);
  let passed = 0;
  let last: Range | null = null;
  for (const range of list) {
    if (last === null) add(range, range.offset);
    while (chosen[0] !== undefined && chosen[0] < passed + range.length) {
      add(range, range.offset + Math.floor((chosen.shift() ?? 0) - passed));
    }
    passed += range.length;
    last = range;
  }
  if (last) add(last, last.offset + last.length - 1);
  return [...places.values()];
}

/** The first byte of the places that is not zero; null where all are. */
async function firstWithData(
  shell: RemoteShell,
  file: RemoteFile,
  places: readonly Range[],
  ctx: Context,
): Promise<number | null> {
  const stream = await ReadStream.open(shell, [file], ctx);
  try {
    const reads = places.map(({ offset, length }) => fileRead(0, file, offset, length));
    stream.ask(reads);
    for (const read of reads) {
      const parts: Buffer[] = [];
      await stream.receive(read, (bytes) => void parts.push(bytes));
      const content = Buffer.concat(parts);
      if (!isZero(content)) return read.position + content.findIndex((byte) => byte !== 0);
    }
    return null;
  } finally {
    stream.kill();
  }
}
