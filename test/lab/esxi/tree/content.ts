/** One link of a chain: what it writes over the links below it. */
export interface Layer {
  /** Length of the disk. */
  sizeBytes: number;
  writes: Write[];
  /** A raw file that lies under the writes (base layers only). */
  image?: string;
}

/** A range of one layer: bytes from a seeded stream, or zeros. */
export interface Write {
  offset: number;
  length: number;
  /** Null: zeros, explicitly. */
  seed: string | null;
  /** Literal bytes instead of the stream. */
  bytes?: Buffer;
}

/** Writes the guest-visible bytes of a chain as a sparse raw file. */
export function diskContent(_disk: { layers: Layer[] }, _file: string): Promise<void> {
  return Promise.reject(new Error('being built'));
}

/** The same up to a link of the chain: 0 is the base alone. */
export function layerContent(_disk: { layers: Layer[] }, _level: number, _file: string): Promise<void> {
  return Promise.reject(new Error('being built'));
}
