import { MIB } from '../../core/index.js';

/** One page of the bitmap: this many bits. */
const PAGE_BITS = 2 ** 16;

/** Memory that all bitmaps of one walk may take together. */
class ClaimBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (this.#left < bytes) return false;
    this.#left -= bytes;
    return true;
  }
}

/**
 * Tells whether a place in a file is named twice: units of it (sectors, grains), each taken at most once. Memory grows
 * with the places that are taken; where the budget ends, only their number is compared with the units there are.
 */
class Claims {
  readonly #units: number;
  readonly #budget: ClaimBudget;
  readonly #pages = new Map<number, Uint8Array>();
  #taken = 0;

  constructor(units: number, budget: ClaimBudget) {
    this.#units = units;
    this.#budget = budget;
  }

  /** False where one of the units was taken before. */
  take(first: number, count: number): boolean {
    this.#taken += count;
    if (this.#taken > this.#units) return false;
    for (let unit = first; unit < first + count; unit++) {
      const page = this.#page(Math.floor(unit / PAGE_BITS));
      if (!page) continue;
      const bit = unit % PAGE_BITS;
      const at = bit >>> 3;
      const mask = 1 << (bit & 7);
      const before = page[at] ?? 0;
      if (before & mask) return false;
      page[at] = before | mask;
    }
    return true;
  }

  #page(number: number): Uint8Array | null {
    let page = this.#pages.get(number);
    if (!page) {
      if (!this.#budget.take(PAGE_BITS / 8)) return null;
      page = new Uint8Array(PAGE_BITS / 8);
      this.#pages.set(number, page);
    }
    return page;
  }
}

/** A part of a file that is counted in units. */
export interface Units {
  origin: number;
  /** Of one unit. */
  bytes: number;
  /** How many there are. */
  count: number;
}

/** The claims of one walk over a whole disk. */
export class WalkClaims {
  readonly #budget = new ClaimBudget(32 * MIB);
  readonly #claims = new Map<Units, Claims>();

  /** False where a part of `[position, position + length)` was taken before on this walk. */
  take(units: Units, position: number, length: number): boolean {
    let claims = this.#claims.get(units);
    if (!claims) {
      claims = new Claims(units.count, this.#budget);
      this.#claims.set(units, claims);
    }
    return claims.take(Math.floor((position - units.origin) / units.bytes), Math.ceil(length / units.bytes));
  }
}
