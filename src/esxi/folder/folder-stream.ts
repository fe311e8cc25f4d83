import { contentRange, type Context } from '../../core/index.js';
import type { FileRead, OpenStream, RangeStream, RemoteFile, Taker } from '../read/index.js';
import { readFailed, readLost, readMissing } from '../read-error.js';
import { bytesOf } from '../https-body.js';
import type { FolderClient } from './client.js';

/** What both kinds of streams have in common: no word goes out before bytes are to be taken, and a kill ends it all. */
abstract class FolderStream implements RangeStream {
  protected readonly client: FolderClient;
  protected readonly signal: AbortSignal;
  readonly #files: readonly RemoteFile[];
  readonly #stop = new AbortController();

  constructor(client: FolderClient, files: readonly RemoteFile[], ctx: Context) {
    this.client = client;
    this.#files = files;
    this.signal = AbortSignal.any([ctx.signal, this.#stop.signal]);
  }

  ask(): void {
    // Each range is a request of its own, which goes out when it is its turn.
  }

  async receive(read: FileRead, take: Taker): Promise<void> {
    const file = this.#files[read.file];
    if (!file) throw new RangeError(`a range names file ${read.file} of ${this.#files.length}`);
    await this.read(file, read, take);
  }

  end(): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  kill(): void {
    this.#stop.abort();
  }

  protected abstract read(file: RemoteFile, range: Pick<FileRead, 'position' | 'length'>, take: Taker): Promise<void>;
}

/** One request for each range. */
class RequestStream extends FolderStream {
  protected async read(file: RemoteFile, range: Pick<FileRead, 'position' | 'length'>, take: Taker): Promise<void> {
    await readRange(this.client, file.path, range, take, this.signal);
  }
}

/** One request for a whole file, from which the ranges are taken as they pass: for hosts that send no ranges. */
class WholeStream extends FolderStream {
  #open: { path: string; bytes: AsyncGenerator<Buffer>; at: number; rest: Buffer } | null = null;

  protected async read(file: RemoteFile, range: Pick<FileRead, 'position' | 'length'>, take: Taker): Promise<void> {
    const { path } = file;
    if (this.#open?.path !== path || this.#open.at > range.position) {
      await this.#open?.bytes.return(undefined);
      this.#open = { path, bytes: await this.#begin(file), at: 0, rest: Buffer.alloc(0) };
    }
    const open = this.#open;
    const end = range.position + range.length;
    while (open.at < end) {
      if (open.rest.length === 0) {
        const next = await open.bytes.next();
        if (next.done === true) throw readLost(path, `after ${open.at} of ${file.bytes} bytes`);
        open.rest = next.value;
      }
      const isWanted = open.at >= range.position;
      const part = open.rest.subarray(0, (isWanted ? end : range.position) - open.at);
      open.rest = open.rest.subarray(part.length);
      open.at += part.length;
      if (isWanted) await take(part);
    }
  }

  async #begin({ path, bytes }: RemoteFile): Promise<AsyncGenerator<Buffer>> {
    const { status, headers, body } = await this.client.get(path, 0, bytes, this.signal);
    const length = Number(headers['content-length'] ?? bytes);
    const isWhole = status === 200 || (status === 206 && contentRange(headers['content-range'])?.from === 0);
    if (isWhole && length === bytes) return bytesOf(body, path, this.signal);
    body.destroy();
    if (status === 404) throw readMissing(path);
    throw readFailed(path, `the host sends ${length} bytes of the ${bytes} that it had (status ${status})`);
  }
}

/** Streams on files of a host, by ranges where it sends them. */
export function folderStreams(client: FolderClient, hasRanges: () => boolean): OpenStream {
  return (files, ctx) =>
    Promise.resolve(hasRanges() ? new RequestStream(client, files, ctx) : new WholeStream(client, files, ctx));
}

/**
 * Reads exactly this range of a file.
 * @throws StackferryError `esxi.connection_lost` where it breaks off, `esxi.read_failed` where other bytes come than were
 * asked for, `disk.missing`, and what {@link FolderClient.get} throws
 */
export async function readRange(
  client: FolderClient,
  path: string,
  { position, length }: { position: number; length: number },
  take: Taker,
  signal: AbortSignal,
): Promise<void> {
  const { status, headers, body } = await client.get(path, position, position + length, signal);
  const wrong =
    status === 404
      ? readMissing(path)
      : status === 416
        ? readFailed(path, 'the host has fewer bytes of it than before (was the file cut short?)')
        : status === 200
          ? readFailed(path, 'the host sent the whole file where a range was asked for')
          : contentRange(headers['content-range'])?.from !== position
            ? readFailed(path, 'the host sent another range than was asked for')
            : null;
  if (wrong) {
    body.destroy();
    throw wrong;
  }
  let left = length;
  for await (const bytes of bytesOf(body, path, signal)) {
    if (bytes.length > left) throw readFailed(path, `the host sent more than the ${length} bytes that were asked for`);
    left -= bytes.length;
    await take(bytes);
  }
  if (left > 0) throw readLost(path, `after ${length - left} of ${length} bytes`);
}
