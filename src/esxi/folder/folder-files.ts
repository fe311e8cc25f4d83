import { contentRange, MIB, StackferryError, type Context } from '../../core/index.js';
import type { ReadRate } from '../about.js';
import type { FileProbe, FileRequest } from '../export/index.js';
import type { FileDoor } from '../read/index.js';
import { bytesOf } from '../https-body.js';
import { readFailed, readMissing } from '../read-error.js';
import { MOST_REQUESTS, type FolderClient } from './client.js';
import { folderStreams, readRange } from './folder-stream.js';

const SECTOR_BYTES = 512;

/** Files of a host over HTTPS. Whether it sends ranges is learnt from the first file that is looked at. */
export class FolderFiles implements FileDoor {
  readonly #client: FolderClient;
  readonly #ctx: Context;
  /** Until a file was looked at, ranges are expected: a range that is not one is an error, never wrong bytes. */
  #hasRanges = true;

  constructor(client: FolderClient, ctx: Context) {
    this.#client = client;
    this.#ctx = ctx;
  }

  get hasRanges(): boolean {
    return this.#hasRanges;
  }

  /** Ranges in parallel are asked for up to what a host stands; a whole file comes in one piece. */
  get mostStreams(): number {
    return this.#hasRanges ? MOST_REQUESTS : 1;
  }

  get streams(): FileDoor['streams'] {
    return folderStreams(this.#client, () => this.#hasRanges);
  }

  /** One request a file: its first bytes, and with them its size and time. Locks and allocation are not told over HTTPS. */
  async probe(requests: readonly FileRequest[], ctx: Context): Promise<FileProbe[]> {
    const probes: FileProbe[] = new Array<FileProbe>(requests.length);
    let next = 0;
    const worker = async () => {
      for (let index = next++; index < requests.length; index = next++) {
        const request = requests[index];
        if (request) probes[index] = await this.#probeOne(request, ctx.signal);
      }
    };
    // The first alone: a wrong password must not be tried four times, for a few misses lock the account.
    const [first, ...more] = requests;
    if (first) probes[next++] = await this.#probeOne(first, ctx.signal);
    await Promise.all(Array.from({ length: Math.min(MOST_REQUESTS, more.length) }, worker));
    return probes;
  }

  bytes({ path, bytes }: { path: string; bytes: number }): ReturnType<FileDoor['bytes']> {
    return {
      name: path,
      bytes,
      read: async (position, length) => {
        if (length === 0) return Buffer.alloc(0);
        if (!this.#hasRanges) throw noRanges(path);
        const parts: Buffer[] = [];
        const take = (part: Buffer) => void parts.push(part);
        await readRange(this.#client, path, { position, length }, take, this.#ctx.signal);
        return Buffer.concat(parts);
      },
    };
  }

  /** Reads up to so many MiB from a file's beginning (absolute path) in one request, and tells how long it took. */
  async readRate(path: string, mebibytes: number): Promise<ReadRate> {
    const wanted = Math.max(1, Math.floor(mebibytes)) * MIB;
    const { status, body } = await this.#client.get(path, 0, wanted, this.#ctx.signal);
    if (status !== 206 && status !== 200) {
      body.destroy();
      throw status === 404 ? readMissing(path) : readFailed(path, 'the host has none of its bytes');
    }
    // The clock starts with the first bytes: asking is not reading.
    let start: number | null = null;
    let bytes = 0;
    for await (const part of bytesOf(body, path, this.#ctx.signal)) {
      start ??= performance.now();
      bytes += part.length;
      if (bytes >= wanted) break;
    }
    return { bytes, seconds: start === null ? 0 : (performance.now() - start) / 1000 };
  }

  allocation(): ReturnType<FileDoor['allocation']> {
    return Promise.resolve({ data: null, why: 'over HTTPS a host does not tell which of its blocks hold data' });
  }

  async #probeOne({ path, headBytes }: FileRequest, signal: AbortSignal): Promise<FileProbe> {
    const wanted = Math.max(SECTOR_BYTES, headBytes);
    let answer;
    try {
      answer = await this.#client.get(path, 0, wanted, signal);
    } catch (error) {
      if (!(error instanceof StackferryError) || error.code !== 'esxi.read_failed') throw error;
      return { ...unknownFile, readError: error.message };
    }
    const { status, headers, body } = answer;
    if (status === 404) {
      body.destroy();
      return { state: 'missing' };
    }
    if (status === 200) this.#hasRanges = false;
    const told =
      status === 200
        ? Number(headers['content-length'] ?? NaN)
        : (contentRange(headers['content-range'])?.total ?? NaN);
    if (!Number.isSafeInteger(told)) {
      body.destroy();
      return { ...unknownFile, readError: 'the host does not say how long it is' };
    }
    const head: Buffer[] = [];
    let had = 0;
    if (status !== 416) {
      for await (const bytes of bytesOf(body, path, signal)) {
        head.push(bytes);
        had += bytes.length;
        if (had >= wanted) break;
      }
    } else body.destroy();
    const time = headers['last-modified'] ?? headers.etag ?? 'unknown';
    return {
      state: 'file',
      bytes: told,
      token: `${told}@${time}`,
      allocatedBytes: null,
      readError: null,
      head: headBytes === 0 ? null : Buffer.concat(head).subarray(0, Math.min(told, headBytes)),
      lock: null,
    };
  }
}

const unknownFile = {
  state: 'file',
  bytes: 0,
  token: '0@unknown',
  allocatedBytes: null,
  head: null,
  lock: null,
} as const;

function noRanges(path: string): StackferryError {
  return new StackferryError(
    'esxi.no_ranges',
    `The host sends files only whole, and ${path} has to be read here and there (it holds a snapshot).`,
    { hint: 'Read it over SSH (--esxi-transport ssh), or consolidate the VM’s snapshots first.' },
  );
}
