import type { ByteSource } from '../../disk/index.js';
import { memberName } from './confined.js';
import { packageError } from './faults.js';

/** The unit of a tar archive; the length of a header. */
const BLOCK = 512;
const MAX_ENTRIES = 8192;
const MAX_EXTENSION_BYTES = 64 * 1024;

/** A file in a tar archive: bytes of the archive. */
export interface TarEntry {
  name: string;
  /** Where its bytes begin. */
  position: number;
  bytes: number;
}

/** What entries are read from: an archive in place, or one that comes as a stream (a ByteReader is one). */
export interface TarInput {
  readonly position: number;
  /** Exactly so many bytes, or an error. */
  take(length: number, what: string): Promise<Buffer>;
  /** So many bytes, or what is left, without taking them. */
  peek(length: number): Promise<Buffer>;
  skip(length: number, what: string): Promise<void>;
}

export interface TarHeader {
  name: string;
  bytes: number;
  /** `0` for a file; the old form's NUL is given so, too. */
  type: string;
}

/** Why a header cannot be read, in words that go on after the archive's name. */
export class TarHeaderError extends Error {}

/**
 * Decodes a header: old (V7), ustar (POSIX.1-1988) and GNU, sizes in octal or base-256. Null for a block of zeros.
 * @throws TarHeaderError
 */
export function decodeTarHeader(block: Buffer): TarHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  let unsigned = 0;
  let signed = 0;
  for (const [at, byte] of block.entries()) {
    const value = at >= 148 && at < 156 ? 32 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const sum = octal(block.subarray(148, 156));
  // Old programs summed signed bytes.
  if (sum === null || (sum !== unsigned && sum !== signed)) throw new TarHeaderError('has a header whose sum is wrong');
  const bytes = numberOf(block.subarray(124, 136));
  if (bytes === null) throw new TarHeaderError('has an entry of an impossible size');
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textOf(block.subarray(345, 500)) : '';
  const name = textOf(block.subarray(0, 100));
  const type = String.fromCharCode(block[156] ?? 0).replace('\0', '0');
  return { name: prefix === '' ? name : `${prefix}/${name}`, bytes, type };
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

function octal(field: Buffer): number | null {
  const text = field
    .toString('latin1')
    .replace(/^[ ]*/, '')
    .replace(/[ \0].*$/s, '');
  return /^[0-7]*$/.test(text) ? parseInt(text === '' ? '0' : text, 8) : null;
}

/** Octal, or base-256 where the first bit is set (GNU); negative numbers are none. */
function numberOf(field: Buffer): number | null {
  const first = field[0] ?? 0;
  if (first < 128) return octal(field);
  if (first !== 128) return null;
  const value = field.subarray(1).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}

/** Reads entry after entry. After each one the input stands at its bytes; whoever reads leaves it behind them. */
export class TarEntries {
  readonly #input: TarInput;
  readonly #name: string;
  readonly #seen = new Set<string>();

  /** @param name of the archive, for messages */
  constructor(input: TarInput, name: string) {
    this.#input = input;
    this.#name = name;
  }

  /**
   * The next file; null at the end. Directories are left out.
   * @throws StackferryError `package.bad_tar`, `package.unsafe_path` (links, devices, names that lead out),
   * `disk.short_file` where the archive ends within an entry
   */
  async next(): Promise<TarEntry | null> {
    let longName: string | null = null;
    let paxBytes: number | null = null;
    for (;;) {
      // Some writers leave the zeros at the end out.
      if ((await this.#input.peek(1)).length === 0) return null;
      const at = this.#input.position;
      const header = this.#decode(await this.#input.take(BLOCK, 'a header'), at);
      if (header === null) return null;
      switch (header.type) {
        case 'L':
          longName = (await this.#extension(header, at)).toString('utf8').replace(/\0.*$/s, '');
          continue;
        case 'x': {
          const pax = this.#pax(await this.#extension(header, at), at);
          longName = pax.path ?? longName;
          paxBytes = pax.bytes ?? paxBytes;
          continue;
        }
        case 'g':
          if (Object.values(this.#pax(await this.#extension(header, at), at)).some((value) => value !== null)) {
            throw this.#bad(at, 'gives all files one name or size');
          }
          continue;
        case '5':
          memberName(longName ?? header.name, `${this.#name}, byte ${at},`);
          [longName, paxBytes] = [null, null];
          continue;
        case '0':
        case '7':
          return this.#entry(longName ?? header.name, paxBytes ?? header.bytes, at);
        default:
          throw this.#special(header, at);
      }
    }
  }

  #entry(told: string, bytes: number, at: number): TarEntry {
    const name = memberName(told, `${this.#name}, byte ${at},`);
    if (this.#seen.has(name)) throw this.#bad(at, `holds ${JSON.stringify(name)} twice`);
    if (this.#seen.size === MAX_ENTRIES) throw this.#bad(at, `holds more than ${MAX_ENTRIES} files`);
    this.#seen.add(name);
    return { name, position: this.#input.position, bytes };
  }

  #decode(block: Buffer, at: number): TarHeader | null {
    try {
      return decodeTarHeader(block);
    } catch (error) {
      if (error instanceof TarHeaderError) throw this.#bad(at, error.message);
      throw error;
    }
  }

  async #extension(header: TarHeader, at: number): Promise<Buffer> {
    if (header.bytes > MAX_EXTENSION_BYTES) throw this.#bad(at, `has an extended header of ${header.bytes} bytes`);
    const bytes = await this.#input.take(padded(header.bytes), 'an extended header');
    return bytes.subarray(0, header.bytes);
  }

  /** Records `LENGTH KEY=VALUE\n` (POSIX.1-2001, pax). */
  #pax(bytes: Buffer, at: number): { path: string | null; bytes: number | null } {
    let [path, size]: [string | null, number | null] = [null, null];
    for (let from = 0; from < bytes.length;) {
      const length = Number(/^(\d{1,7}) /.exec(bytes.toString('latin1', from, from + 8))?.[1] ?? NaN);
      const record = bytes.toString('utf8', from, from + length);
      const match = /^\d+ ([^=]+)=(.*)\n$/s.exec(record);
      if (!match || from + length > bytes.length) throw this.#bad(at, 'has an extended header that cannot be read');
      const [, key = '', value = ''] = match;
      if (key.startsWith('GNU.sparse.')) throw this.#bad(at, 'holds a sparse file, which no OVA has');
      if (key === 'path') path = value;
      if (key === 'size') {
        size = /^\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value)) ? Number(value) : null;
        if (size === null) throw this.#bad(at, 'has an entry of an impossible size');
      }
      from += length;
    }
    return { path, bytes: size };
  }

  #special({ type, name }: TarHeader, at: number): Error {
    const kinds: Readonly<Record<string, string>> = {
      '1': 'a hard link',
      '2': 'a symbolic link',
      '3': 'a device',
      '4': 'a device',
      '6': 'a pipe',
    };
    const kind = kinds[type];
    if (kind === undefined) return this.#bad(at, `holds an entry of the unknown type ${JSON.stringify(type)}`);
    return packageError(
      'package.unsafe_path',
      this.#name,
      `holds ${kind} (${JSON.stringify(name.slice(0, 200))}, at byte ${at}), which no OVA has`,
      'Make the archive anew from the files of the export: tar --format=ustar -cf NAME.ova NAME.ovf NAME.mf DISKS.',
    );
  }

  #bad(at: number, why: string): Error {
    return packageError('package.bad_tar', `${this.#name}, byte ${at},`, why);
  }
}

/** So many bytes with what fills them up to whole blocks. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

/** All files of an archive in place; only headers are read. Throws as {@link TarEntries} does. */
export async function tarIndex(archive: ByteSource): Promise<TarEntry[]> {
  const input = new SourceInput(archive);
  const entries = new TarEntries(input, archive.name);
  const found: TarEntry[] = [];
  for (let entry = await entries.next(); entry !== null; entry = await entries.next()) {
    found.push(entry);
    await input.skip(entry.bytes, `its file ${entry.name}`);
    // The last one's filling may be missing.
    await input.skip(Math.min(padded(entry.bytes) - entry.bytes, archive.bytes - input.position), 'a file');
  }
  return found;
}

class SourceInput implements TarInput {
  readonly #source: ByteSource;
  position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async take(length: number, what: string): Promise<Buffer> {
    this.#check(length, what);
    const bytes = await this.#source.read(this.position, length);
    this.position += length;
    return bytes;
  }

  peek(length: number): Promise<Buffer> {
    return this.#source.read(this.position, Math.min(length, this.#source.bytes - this.position));
  }

  skip(length: number, what: string): Promise<void> {
    this.#check(length, what);
    this.position += length;
    return Promise.resolve();
  }

  #check(length: number, what: string): void {
    const { name, bytes } = this.#source;
    if (length > bytes - this.position) {
      throw packageError(
        'disk.short_file',
        name,
        `ends after ${bytes} bytes, but ${what} reaches further: it was cut short`,
      );
    }
  }
}
