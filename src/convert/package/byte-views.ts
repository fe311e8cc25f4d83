import { MIB } from '../../core/index.js';
import type { ByteSource } from '../../disk/index.js';

/** A file of a package while it is open. */
export interface MemberBytes extends ByteSource {
  /** A word that is another one once the file was changed; none for a part of another file. */
  state?(): Promise<string>;
  close(): Promise<void>;
}

/** A part of a file as a file of its own: a member of an archive, read in place. Closing it leaves the archive open. */
export function slice(archive: ByteSource, name: string, position: number, bytes: number): MemberBytes {
  return {
    name,
    bytes,
    read(at, length) {
      if (at < 0 || length < 0 || at + length > bytes) {
        return Promise.reject(new RangeError(`${name}: ${length} bytes at ${at} are outside of ${bytes}`));
      }
      return archive.read(position + at, length);
    },
    close: () => Promise.resolve(),
  };
}

/** Files one behind another as one. */
export function joined(name: string, parts: readonly ByteSource[]): MemberBytes {
  return {
    name,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    async read(position, length) {
      const found: Buffer[] = [];
      let begin = 0;
      for (const part of parts) {
        const from = Math.max(position, begin);
        const to = Math.min(position + length, begin + part.bytes);
        if (to > from) found.push(await part.read(from - begin, to - from));
        begin += part.bytes;
      }
      return found.length === 1 && found[0] ? found[0] : Buffer.concat(found);
    },
    close: () => Promise.resolve(),
  };
}

/** The bytes of a file in order. */
export async function* chunksOf(source: ByteSource): AsyncGenerator<Buffer> {
  for (let at = 0; at < source.bytes; at += MIB) yield await source.read(at, Math.min(MIB, source.bytes - at));
}
