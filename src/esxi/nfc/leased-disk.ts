import { MIB, StackferryError, throwIfAborted, type Context } from '../../core/index.js';
import {
  RangeList,
  cutAtChunks,
  onlyWanted,
  readStreamOptimized,
  withZeros,
  type DiskPiece,
  type DiskSource,
} from '../../disk/index.js';
import { bytesOf, openBody } from '../https-body.js';
import { readFailed } from '../read-error.js';
import type { ReadOptions } from '../read/index.js';
import type { SoapSession } from '../soap/session.js';
import type { SoapTarget } from '../soap/target.js';
import { TrustingAgent } from '../soap/trust.js';
import { NfcLease, type LeasedDisk } from './lease.js';

export interface LeasedVm {
  /** As of the inventory. */
  id: string;
  name: string;
}

/** What can be asked of the reading of a stream; there is one a disk. */
type StreamOptions = Pick<ReadOptions, 'onBytes' | 'pace' | 'onAnswer'>;

export interface LeasedDiskSource extends Pick<DiskSource, 'capacityBytes' | 'dataRanges'> {
  /**
   * The ranges in order, cut at the chunks. All of the disk comes for them, whatever is wanted: a lease is held from the
   * first byte to the last, which tells whether the stream was sound.
   */
  pieces(wanted: RangeList, ctx: Context, options: StreamOptions): AsyncGenerator<DiskPiece>;
}

/** Only one lease can be held on a VM at a time: its disks wait for one another. */
const turns = new WeakMap<SoapSession, Map<string, Promise<unknown>>>();

/**
 * A disk that the host sends as a stream-optimized VMDK, for as long as a lease of its own is held (the API alone, no
 * datastore access). Where its data lies is not known beforehand, and a stream that broke off starts over.
 */
export function leasedDisk(
  session: SoapSession,
  target: SoapTarget,
  vm: LeasedVm,
  disk: { label: string; capacityBytes: number },
): LeasedDiskSource {
  const whole = RangeList.from([{ offset: 0, length: disk.capacityBytes }]);
  return {
    capacityBytes: disk.capacityBytes,
    dataRanges: () => Promise.resolve(whole),
    pieces: (wanted, ctx, options) => wantedOf(wanted, () => leased(session, target, vm, { ...disk, ...options }, ctx)),
  };
}

/** Where nothing is left to read, no lease is taken. */
async function* wantedOf(wanted: RangeList, read: () => AsyncGenerator<DiskPiece>): AsyncGenerator<DiskPiece> {
  if (wanted.bytes > 0) yield* onlyWanted(cutAtChunks(read()), wanted);
}

async function* leased(
  session: SoapSession,
  target: SoapTarget,
  vm: LeasedVm,
  { label, capacityBytes, ...options }: { label: string; capacityBytes: number } & StreamOptions,
  ctx: Context,
): AsyncGenerator<DiskPiece> {
  const done = await turn(session, vm.id);
  const agent = new TrustingAgent(target);
  let lease: NfcLease | null = null;
  let isWhole = false;
  try {
    lease = await NfcLease.take(session, ctx, vm.id, target);
    const { url } = diskOf(lease.disks, label, vm.name);
    // The address is the ticket: no login goes along with it.
    const { status, body } = await openBody({ url, headers: {}, target, agent, signal: ctx.signal });
    const name = `${label} of ${vm.name}`;
    if (status !== 200) {
      body.destroy();
      throw readFailed(name, `the host answered HTTP ${status} to its download`);
    }
    const stream = await readStreamOptimized(paced(bytesOf(body, name, ctx.signal), options), name);
    if (stream.capacityBytes !== capacityBytes) {
      await stream.pieces.return(undefined);
      throw readFailed(name, `the host sends a disk of ${stream.capacityBytes} bytes, and it has ${capacityBytes}`);
    }
    for await (const piece of withZeros(stream.pieces, capacityBytes)) {
      throwIfAborted(ctx.signal);
      lease.progress(((piece.offset + piece.bytes.length) / capacityBytes) * 100);
      yield piece;
    }
    isWhole = true;
  } finally {
    if (isWhole) await lease?.complete();
    else await lease?.abort();
    agent.destroy();
    done();
  }
}

/** So many bytes of the stream count as one answer of the host. */
const ANSWER_BYTES = 4 * MIB;

/** The bytes as they come, held where a limit of the rate or a busy host asks for it; the lease lives on meanwhile. */
async function* paced(chunks: AsyncGenerator<Buffer>, options: StreamOptions): AsyncGenerator<Buffer> {
  const { onBytes, pace, onAnswer } = options;
  let [bytes, ms, asked] = [0, 0, performance.now()];
  for await (const chunk of chunks) {
    bytes += chunk.length;
    ms += performance.now() - asked;
    onBytes?.(chunk.length);
    await pace?.(chunk.length);
    if (bytes >= ANSWER_BYTES) {
      await onAnswer?.({ bytes, reads: 1, ms });
      [bytes, ms] = [0, 0];
    }
    yield chunk;
    asked = performance.now();
  }
}

/** Waits until no other disk of the VM is being read; the returned function lets the next one in. */
async function turn(session: SoapSession, id: string): Promise<() => void> {
  const ofSession = turns.get(session) ?? new Map<string, Promise<unknown>>();
  turns.set(session, ofSession);
  const before = ofSession.get(id);
  let done: () => void = () => undefined;
  const mine = new Promise<void>((resolve) => (done = resolve));
  ofSession.set(id, mine);
  await before;
  return done;
}

/** Controllers by the class names that stand in a lease's keys (vSphere API). */
const BUSES: readonly (readonly [RegExp, string])[] = [
  [/^VirtualIDEController$/, 'ide'],
  [/^(?:VirtualAHCIController|VirtualSATAController)$/, 'sata'],
  [/^VirtualNVMEController$/, 'nvme'],
  [
    /^(?:ParaVirtualSCSIController|VirtualLsiLogic(?:SAS)?Controller|VirtualBusLogicController|VirtualSCSIController)$/,
    'scsi',
  ],
];

/** The disk of a label: keys end as `/VirtualLsiLogicController0:1`. */
function diskOf(disks: readonly LeasedDisk[], label: string, vm: string): LeasedDisk {
  const found = disks.filter(({ key }) => labelOf(key) === label);
  const [only, ...more] = found;
  if (only && more.length === 0) return only;
  throw new StackferryError(
    'disk.missing',
    `The host’s export of ${vm} does not tell which of its disks is ${label}.`,
    {
      hint: 'Read it over SSH, or over HTTPS from the datastore: --esxi-transport ssh.',
      details: { keys: disks.map(({ key }) => key).join(', ') },
    },
  );
}

export function labelOf(key: string): string | null {
  const match = /([A-Za-z]+)(\d+):(\d+)$/.exec(key);
  const bus = BUSES.find(([form]) => form.test(match?.[1] ?? ''))?.[1];
  return match && bus !== undefined ? `${bus}${match[2]}:${match[3]}` : null;
}
