import type { WalkClaims } from './claims.js';
import type { Run } from './runs.js';

/** How a caller goes over an extent: over all of it in order (then tables are read far ahead), or here and there. */
export interface Walk {
  /** On a walk over the whole disk: finds places that are named twice. Null: here and there. */
  claims: WalkClaims | null;
}

/** One extent of a link: where its bytes are. Offsets count from the extent's beginning. */
export interface ExtentMap {
  /** As the guest sees it. */
  readonly bytes: number;
  /** Adds the runs of `[offset, offset + length)`, which cover it whole, moved by `shift`. */
  runs(offset: number, length: number, walk: Walk, shift: number, out: Run[]): Promise<void>;
  /** A length from `offset` on whose runs are few enough to be held at once (at least 1, at most to the end). */
  window(offset: number): Promise<number>;
}
