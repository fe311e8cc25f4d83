import { deferred, messageOf, throwIfAborted, type Context, type Deferred } from '../../core/index.js';
import type { DiskLayout, DiskPiece, RangeList } from '../../disk/index.js';
import type { RemoteFile } from './file-read.js';
import { mayGoAway } from '../read-error.js';
import { PieceFiller, requestsOf, type ReadRequest } from './request.js';
import type { OpenStream, RangeStream } from './range-stream.js';
import { StreamCount } from './stream-count.js';

/** A range is tried so often before the whole reading fails. */
const TRIES = 5;
const FIRST_DELAY_MS = 1_000;
const MOST_DELAY_MS = 20_000;
/** Requests that one stream has before it: the next is on the host before the last byte of the one before has come. */
const AHEAD = 2;

/** A request that was answered: so many bytes in so many runs, in so long. */
export interface AnsweredRequest {
  bytes: number;
  reads: number;
  ms: number;
}

export interface ReadOptions {
  /** So many streams; otherwise as many as bring something. Never more than `mostStreams`. */
  streams?: number;
  /** A number, or what may be had at the moment. */
  mostStreams: number | (() => number);
  /** Called with the bytes that came from the host. */
  onBytes?: (bytes: number) => void;
  /** Called before bytes are taken from the wire; it may wait (a limit of the rate). */
  pace?: (bytes: number) => Promise<void> | undefined;
  /** Called when a request was answered; it may wait (a pause for the host's sake). */
  onAnswer?: (answered: AnsweredRequest) => Promise<void> | undefined;
}

/** A request on its way: its pieces become known one after the other, and are given out in the disk's order. */
class Pending {
  readonly request: ReadRequest;
  readonly pieces: Deferred<Buffer>[];
  readonly number: number;
  tries = 0;

  constructor(request: ReadRequest, number: number) {
    this.request = request;
    this.number = number;
    this.pieces = request.pieces.map(() => {
      const piece = deferred<Buffer>();
      piece.promise.catch(() => undefined); // whoever waits for it hears of it
      return piece;
    });
  }
}

/**
 * Reads ranges of a disk over several streams at once and gives them in the disk's order. Memory is bounded by
 * the streams: no more is asked for than two requests beyond one for each. A stream that fails costs only what it had
 * been asked for, which another one reads.
 */
export class ParallelReader {
  readonly #open: OpenStream;
  readonly #files: readonly RemoteFile[];
  readonly #ctx: Context;
  readonly #options: ReadOptions;
  readonly #count: StreamCount;
  readonly #stop = new AbortController();
  readonly #requests: AsyncGenerator<ReadRequest>;
  /** Asked for or to be asked for again, and not given out yet; in the disk's order. */
  readonly #order: Pending[] = [];
  readonly #again: Pending[] = [];
  #numbers = 0;
  #drained = false;
  /** One at a time draws from the generator. */
  #drawing: Promise<unknown> = Promise.resolve();
  #running = 0;
  #wake = deferred();
  #failure: Error | null = null;
  readonly #workers = new Set<Promise<void>>();

  constructor(
    open: OpenStream,
    source: { layout: DiskLayout; files: readonly RemoteFile[]; wanted: RangeList },
    ctx: Context,
    options: ReadOptions,
  ) {
    this.#open = open;
    this.#files = source.files;
    this.#options = options;
    this.#ctx = { ...ctx, signal: AbortSignal.any([ctx.signal, this.#stop.signal]) };
    this.#count = new StreamCount(ctx.clock, options.streams, options.mostStreams);
    this.#requests = requestsOf(source.layout, source.files, source.wanted, () => this.#count.wanted);
  }

  /** Each wanted range, cut at the chunks, once and in order. Ends all streams when the caller stops early. */
  async *pieces(): AsyncGenerator<DiskPiece> {
    try {
      this.#staff();
      for (;;) {
        while (this.#order.length === 0 && !this.#isOver()) await this.#change();
        throwIfAborted(this.#ctx.signal);
        if (this.#failure !== null) throw this.#failure;
        const next = this.#order[0];
        if (!next) return;
        for (const [index, piece] of next.pieces.entries()) {
          const bytes = await piece.promise;
          yield { offset: next.request.pieces[index]?.offset ?? 0, bytes };
        }
        this.#order.shift();
        this.#changed();
      }
    } finally {
      this.#stop.abort();
      this.#changed();
      await Promise.allSettled(this.#workers);
    }
  }

  #isOver(): boolean {
    return this.#failure !== null || this.#ctx.signal.aborted || (this.#drained && this.#order.length === 0);
  }

  /** Settles when something has changed after this call. */
  #change(): Promise<void> {
    return this.#wake.promise;
  }

  #changed(): void {
    this.#wake.resolve();
    this.#wake = deferred();
  }

  /** Starts streams up to the number that is wanted now. */
  #staff(): void {
    while (this.#running < this.#count.wanted && !this.#drained && !this.#stop.signal.aborted) {
      this.#running++;
      const worker: Promise<void> = this.#work()
        .catch((error: unknown) => {
          this.#running--;
          this.#fail(error);
        })
        .finally(() => this.#workers.delete(worker));
      this.#workers.add(worker);
    }
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#failure = failure;
    this.#stop.abort();
    for (const pending of this.#order) for (const piece of pending.pieces) piece.reject(failure);
    this.#changed();
  }

  /** One stream: takes requests until there are none, or until there is one stream too many. */
  async #work(): Promise<void> {
    let stream: RangeStream | null = null;
    const asked: Pending[] = [];
    try {
      for (;;) {
        try {
          while (asked.length < AHEAD) {
            const next = asked.length === 0 ? await this.#take() : (this.#again.shift() ?? (await this.#draw()));
            if (!next && asked.length === 0) return;
            if (!next) break;
            asked.push(next);
            stream ??= await this.#open(this.#files, this.#ctx);
            stream.ask(next.request.reads);
          }
          const [pending] = asked;
          if (stream && pending) await this.#receive(stream, pending);
          asked.shift();
        } catch (error) {
          stream?.kill();
          stream = null;
          await this.#lost(asked, error);
        }
        this.#staff();
      }
    } finally {
      if (this.#stop.signal.aborted) stream?.kill();
      else await stream?.end();
    }
  }

  async #receive(stream: RangeStream, pending: Pending): Promise<void> {
    // A piece counts once the host has said of every read in it that it came whole: until then it is not given out.
    const filled: { index: number; bytes: Buffer }[] = [];
    const filler = new PieceFiller(pending.request.pieces, (index, bytes) => filled.push({ index, bytes }));
    const giveOut = () => {
      for (const { index, bytes } of filled.splice(0)) pending.pieces[index]?.resolve(bytes);
    };
    const { pace, onAnswer } = this.#options;
    const start = this.#ctx.clock.now();
    for (const read of pending.request.reads) {
      await stream.receive(read, (bytes) => {
        filler.take(bytes);
        this.#count.took(bytes.length);
        this.#options.onBytes?.(bytes.length);
        return pace?.(bytes.length);
      });
      giveOut();
    }
    giveOut();
    const bytes = pending.request.pieces.reduce((sum, { length }) => sum + length, 0);
    await onAnswer?.({ bytes, reads: pending.request.reads.length, ms: this.#ctx.clock.now() - start });
  }

  /** Gives back what a broken stream had been asked for; another try is due after a moment, unless it cannot help. */
  async #lost(asked: Pending[], error: unknown): Promise<void> {
    throwIfAborted(this.#ctx.signal);
    const [first] = asked;
    if (!first) throw error;
    first.tries++;
    if (!mayGoAway(error) || first.tries >= TRIES) throw error;
    this.#count.failed();
    this.#again.push(...asked.splice(0));
    this.#again.sort((one, other) => one.number - other.number);
    this.#changed();
    const delayMs = Math.round(Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** (first.tries - 1)));
    const what = `read ${this.#files.at(-1)?.path ?? ''}`;
    this.#ctx.events.emit({ kind: 'retry', what, attempt: first.tries, delayMs, reason: messageOf(error) });
    await this.#ctx.clock.sleep(delayMs, this.#ctx.signal);
  }

  /**
   * The next request, when there is one and room for its bytes. Null, and one stream fewer is counted, when there is
   * none left or one stream too many.
   */
  async #take(): Promise<Pending | null> {
    for (;;) {
      throwIfAborted(this.#ctx.signal);
      const change = this.#change(); // taken before the look, so that none is missed
      const next = this.#again.shift() ?? (await this.#draw());
      if (next) return next;
      // While others still read, one of their requests may come back.
      const isOver = this.#drained && this.#order.length === 0;
      const isTooMany = this.#running > this.#count.wanted && this.#again.length === 0;
      if (isOver || isTooMany) {
        this.#running--;
        return null;
      }
      await change;
    }
  }

  #hasRoom(): boolean {
    return !this.#drained && this.#order.length < this.#count.wanted + AHEAD;
  }

  /** A request that nobody has been asked for yet; null where there is none, or no room for its bytes. */
  async #draw(): Promise<Pending | null> {
    if (!this.#hasRoom() || this.#running > this.#count.wanted) return null;
    const before = this.#drawing;
    const turn = deferred();
    this.#drawing = turn.promise;
    try {
      await before;
      if (!this.#hasRoom()) return null;
      const next = await this.#requests.next();
      if (next.done === true) {
        this.#drained = true;
        this.#changed();
        return null;
      }
      const pending = new Pending(next.value, this.#numbers++);
      this.#order.push(pending);
      this.#changed();
      return pending;
    } finally {
      turn.resolve();
    }
  }
}
