import type { TrustMap } from '../../esxi/read/index.js';

/** How long to wait for what, in milliseconds; each has an option `--timeout-…` in seconds. */
export interface Timeouts {
  shutdownMs: number;
  imageMs: number;
  volumeMs: number;
  serverMs: number;
  consoleMs: number;
}

export const defaultTimeouts: Timeouts = {
  shutdownMs: 300_000,
  imageMs: 1_800_000,
  volumeMs: 7_200_000,
  serverMs: 600_000,
  consoleMs: 300_000,
};

/** Most bytes a second that are read. */
export interface Bandwidth {
  /** From the host in all; null: no limit. */
  host: number | null;
  /** From one datastore, by its name. */
  datastores: Readonly<Record<string, number>>;
}

/** What a person allowed and how things are done; not part of the plan, so a resumed run may be given other ones. */
export interface RunSettings {
  /** Shut a running guest down by its Tools. */
  powerOff: boolean;
  /** Ask the guest to shut down as well, and pull the plug when it has not done so in time (or has no Tools). */
  forceOff: boolean;
  /** Streams that read from the host at once; null: as many as bring something. */
  streams: number | null;
  bandwidth: Bandwidth;
  /** One stream, pauses where the host gets slow, and this process behind all others. */
  lowPriority: boolean;
  trustMap: TrustMap;
  compress: boolean;
  sha256: boolean;
  /** Convert again though the result is there and proved (`convert --force`). */
  force: boolean;
  timeouts: Timeouts;
}
