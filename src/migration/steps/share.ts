import { Pacer, formatRate, messageOf, type Context } from '../../core/index.js';
import { joinReaders, type ReaderClaim, type ReaderPlace } from '../state/readers.js';

/**
 * So many streams read from one host at once, whoever began them: OpenSSH lets ten connections log in at a time, and a
 * host's sshd has little to give. Each reader keeps one at the least.
 */
export const HOST_STREAMS = 8;
/** Others that have come or gone are seen after so long. */
const LOOK_MS = 2_000;

/**
 * What one reader of a host may take of it: the host's streams and every limit of the rate are divided evenly among the
 * readers there are, in this process and in others. A limit is the smallest that any of them was given, and holds for
 * all: a second run without one does not undo it.
 */
export class ReadingShare {
  readonly #ctx: Context;
  readonly #place: ReaderPlace;
  readonly #claim: ReaderClaim;
  readonly #pacer: Pacer;
  #streams = HOST_STREAMS;
  #lookedAt = -Infinity;
  #said = '';

  private constructor(ctx: Context, place: ReaderPlace, claim: ReaderClaim) {
    this.#ctx = ctx;
    this.#place = place;
    this.#claim = claim;
    this.#pacer = new Pacer(ctx.clock, null);
  }

  /** Takes a share; it must be given back with `leave`, and is taken back from a process that was killed. */
  static async take(ctx: Context, folder: string, claim: ReaderClaim): Promise<ReadingShare> {
    const share = new ReadingShare(ctx, await joinReaders(folder, claim), claim);
    try {
      await share.#look();
    } catch (error) {
      await share.leave();
      throw error;
    }
    return share;
  }

  /** The most streams that it may have now. */
  get streams(): number {
    this.#lookAgain();
    return this.#streams;
  }

  /** Takes bytes of its share of the rate; undefined where there is nothing to wait for. */
  pace(bytes: number): Promise<void> | undefined {
    this.#lookAgain();
    return this.#pacer.take(bytes, this.#ctx.signal);
  }

  leave(): Promise<void> {
    return this.#place.leave();
  }

  #lookAgain(): void {
    if (this.#ctx.clock.now() - this.#lookedAt < LOOK_MS) return;
    this.#look().catch((error: unknown) => {
      // What was seen last goes on to count.
      this.#ctx.log.debug(`who else reads from the host is not known: ${messageOf(error)}`);
    });
  }

  async #look(): Promise<void> {
    this.#lookedAt = this.#ctx.clock.now();
    const others = await this.#place.others();
    this.#streams = Math.max(1, Math.floor(HOST_STREAMS / (others.length + 1)));
    const rate = rateOf(this.#claim, others);
    this.#pacer.limit(rate);
    const most = `${this.#streams} stream(s) at the most${rate === null ? '' : `, ${formatRate(rate)}`}`;
    const said = `share of the host: ${most}; other readers: ${others.length}`;
    if (said !== this.#said) this.#ctx.log.debug(said);
    this.#said = said;
  }
}

/** Bytes a second that are left to the reader with this claim beside these others; null: no limit. */
export function rateOf(own: ReaderClaim, others: readonly ReaderClaim[]): number | null {
  const shares = [
    share(
      own.bandwidth,
      others.map(({ bandwidth }) => bandwidth),
    ),
  ];
  for (const [name, rate] of Object.entries(own.datastores)) {
    const there = others.flatMap(({ datastores }) =>
      Object.hasOwn(datastores, name) ? [datastores[name] ?? null] : [],
    );
    shares.push(share(rate, there));
  }
  const rates = shares.filter((rate) => rate !== null);
  return rates.length === 0 ? null : Math.min(...rates);
}

function share(own: number | null, others: readonly (number | null)[]): number | null {
  const given = [own, ...others].filter((rate) => rate !== null);
  return given.length === 0 ? null : Math.min(...given) / (others.length + 1);
}
