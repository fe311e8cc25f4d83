/** Tables as they were read, the ones used last; shared by all files of a disk, so that its memory is bounded. */
export class TableCache {
  readonly #most: number;
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  /** @param most bytes that are kept at the most */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): Buffer | undefined {
    const found = this.#kept.get(key);
    if (found) {
      this.#kept.delete(key);
      this.#kept.set(key, found);
    }
    return found;
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  put(key: string, table: Buffer): void {
    this.#bytes += table.byteLength - (this.#kept.get(key)?.byteLength ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, table);
    for (const [oldest, { byteLength }] of this.#kept) {
      if (this.#bytes <= this.#most) break;
      this.#kept.delete(oldest);
      this.#bytes -= byteLength;
    }
  }
}
