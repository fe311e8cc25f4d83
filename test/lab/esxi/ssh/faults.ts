import { setTimeout as sleep } from 'node:timers/promises';

/** Faults, settable at any time; `clear()` ends them all. Counts start when the fault is set. */
export interface HostFaults {
  /** Cuts the connection whose stdout crosses the mark of so many more bytes, sent by all together; so many times. */
  dropAfterBytes(bytes: number, times?: number): void;
  /** Cuts the connection instead of starting the nth exec from now (1 is the next) whose text fits. */
  dropAtExec(n: number, match?: RegExp): void;
  /** Cuts the next n connections in the middle of the key exchange. */
  dropInKex(times?: number): void;
  /** Closes the listening port: new connections are refused, present ones live on. */
  refuseConnections(refuse: boolean): Promise<void>;
  /** Cuts all present connections now. */
  dropAll(): void;
  /** Stops sending stdout after so many more bytes, on every channel, until clear(). The connections stay up. */
  stallAfterBytes(bytes: number): void;
  /** Limits stdout of each channel; null ends it. */
  bytesPerSecond(rate: number | null): void;
  /** Waits so long before each exec. */
  delayExec(ms: number): void;
  clear(): Promise<void>;
}

export interface FaultActions {
  dropAll(): void;
  refuseConnections(refuse: boolean): Promise<void>;
}

/** What happens to the next bytes of a channel. */
export type Verdict = { send: number; then: 'go on' | 'drop' };

/** The faults' own state; the server asks it at each turn. */
export class FaultDesk implements HostFaults {
  execDelayMs = 0;
  rate: number | null = null;
  readonly #actions: FaultActions;
  #drop: { bytes: number; left: number; times: number } | null = null;
  #execDrop: { left: number; match: RegExp } | null = null;
  #kexDrops = 0;
  #stallLeft = Number.POSITIVE_INFINITY;
  #wake: (() => void)[] = [];

  constructor(actions: FaultActions) {
    this.#actions = actions;
  }

  dropAfterBytes(bytes: number, times = 1): void {
    this.#drop = { bytes, left: bytes, times };
  }
  dropAtExec(n: number, match = /(?:)/): void {
    this.#execDrop = { left: n, match };
  }
  dropInKex(times = 1): void {
    this.#kexDrops = times;
  }
  refuseConnections(refuse: boolean): Promise<void> {
    return this.#actions.refuseConnections(refuse);
  }
  dropAll(): void {
    this.#actions.dropAll();
  }
  stallAfterBytes(bytes: number): void {
    this.#stallLeft = bytes;
  }
  bytesPerSecond(rate: number | null): void {
    this.rate = rate;
  }
  delayExec(ms: number): void {
    this.execDelayMs = ms;
  }
  async clear(): Promise<void> {
    this.#drop = null;
    this.#execDrop = null;
    this.#kexDrops = 0;
    this.#stallLeft = Number.POSITIVE_INFINITY;
    this.rate = null;
    this.execDelayMs = 0;
    for (const wake of this.#wake.splice(0)) wake();
    await this.#actions.refuseConnections(false);
  }

  /** Is this new connection one to cut in the key exchange? */
  takeKexDrop(): boolean {
    if (this.#kexDrops === 0) return false;
    this.#kexDrops -= 1;
    return true;
  }

  /** Is this exec one to cut at? */
  takeExecDrop(command: string): boolean {
    if (this.#execDrop === null || !this.#execDrop.match.test(command)) return false;
    this.#execDrop.left -= 1;
    if (this.#execDrop.left > 0) return false;
    this.#execDrop = null;
    return true;
  }

  /** Waits while everything is stalled, then says how many of `bytes` may go, and what follows. */
  async take(bytes: number, closed: AbortSignal): Promise<Verdict> {
    while (this.#stallLeft === 0 && !closed.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        closed.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    let send = Math.min(bytes, this.#stallLeft);
    if (this.rate !== null) {
      send = Math.min(send, Math.max(1, Math.floor(this.rate / 20)));
      await sleep((send / this.rate) * 1000);
    }
    let then: Verdict['then'] = 'go on';
    if (this.#drop !== null) {
      send = Math.min(send, this.#drop.left);
      this.#drop.left -= send;
      if (this.#drop.left === 0) {
        then = 'drop';
        this.#drop =
          this.#drop.times > 1 ? { ...this.#drop, left: this.#drop.bytes, times: this.#drop.times - 1 } : null;
      }
    }
    this.#stallLeft -= send;
    return { send, then };
  }
}
