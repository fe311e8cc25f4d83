import { connect, type Socket } from 'node:net';
import { StackferryError, messageOf } from '../core/index.js';

/**
 * A reader over NBD (the protocol document of the NetworkBlockDevice project: fixed newstyle handshake, NBD_OPT_GO,
 * simple replies). Only what is needed to read from a qemu-nbd of ours on a Unix socket.
 */
const OPTION_MAGIC = Buffer.from('IHAVEOPT', 'latin1');
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const OPT_GO = 7;
const REP_ACK = 1;
const REP_INFO = 3;
const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;
const CMD_READ = 0;
const CMD_DISCONNECT = 2;
/** The most that a server must take in one request without negotiation of block sizes. */
const MAX_READ = 32 * 1024 * 1024;

function broken(why: string, cause?: unknown): StackferryError {
  return new StackferryError('convert.failed', `Reading the image through qemu-nbd failed: ${why}.`, {
    hint: 'Run it again; if it stays, check the image with `qemu-img check`.',
    cause,
  });
}

/** Takes exact numbers of bytes off a socket. */
class ByteQueue {
  readonly #socket: Socket;
  #wake: (() => void) | null = null;
  #end: Error | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    const wake = () => this.#wake?.();
    socket.on('readable', wake);
    const end = (error?: unknown) => {
      this.#end ??= broken(error === undefined ? 'the connection ended' : messageOf(error), error);
      wake();
    };
    socket
      .on('error', end)
      .on('end', () => end())
      .on('close', () => end());
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const available = Math.min(left, this.#socket.readableLength);
      const part = available > 0 ? (this.#socket.read(available) as Buffer | null) : null;
      if (part !== null) {
        parts.push(part);
        left -= part.length;
      } else if (this.#end) {
        throw this.#end;
      } else {
        // Asking for 0 bytes only starts the next read from the system.
        const woken = new Promise<void>((resolve) => (this.#wake = resolve));
        this.#socket.read(0);
        await woken;
        this.#wake = null;
      }
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, length);
  }
}

interface Waiting {
  length: number;
  resolve: (bytes: Buffer) => void;
  reject: (error: unknown) => void;
}

export class NbdReader {
  readonly #socket: Socket;
  readonly #waiting = new Map<bigint, Waiting>();
  #handle = 0n;
  #failure: unknown;
  /** Size of the export in bytes. */
  readonly bytes: number;

  private constructor(socket: Socket, queue: ByteQueue, bytes: number) {
    this.#socket = socket;
    this.bytes = bytes;
    void this.#receive(queue);
  }

  /** Connects and agrees on the default export. Rejects with the system's error where nobody listens (yet). */
  static async connect(path: string): Promise<NbdReader> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    const queue = new ByteQueue(socket);
    try {
      const greeting = await queue.take(18);
      if (greeting.toString('latin1', 0, 16) !== 'NBDMAGICIHAVEOPT') throw broken('it is no NBD server');
      const go = Buffer.alloc(4 + 16 + 6);
      go.writeUInt32BE(3, 0); // fixed newstyle, no zeroes
      OPTION_MAGIC.copy(go, 4);
      go.writeUInt32BE(OPT_GO, 12);
      go.writeUInt32BE(6, 16); // the default export's empty name, and no information requests
      socket.write(go);
      let bytes: number | null = null;
      for (;;) {
        const head = await queue.take(20);
        if (head.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC) throw broken('it answers with an unknown word');
        const type = head.readUInt32BE(12);
        const length = head.readUInt32BE(16);
        if (length > 65536) throw broken('it answers with an impossible length');
        const data = await queue.take(length);
        if (type === REP_INFO && length >= 12 && data.readUInt16BE(0) === 0) bytes = Number(data.readBigUInt64BE(2));
        else if (type === REP_ACK) break;
        else if (type !== REP_INFO) throw broken(`it refuses the export (${data.toString('utf8') || type})`);
      }
      if (bytes === null) throw broken('it does not tell the size');
      return new NbdReader(socket, queue, bytes);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Reads exactly so many bytes (at most {@link MAX_READ}). Several reads may be under way. */
  async read(offset: number, length: number): Promise<Buffer> {
    if (this.#failure !== undefined) throw broken(messageOf(this.#failure), this.#failure);
    if (length > MAX_READ) throw new RangeError(`one read takes at most ${MAX_READ} bytes`);
    const handle = this.#handle++;
    const request = Buffer.alloc(28);
    request.writeUInt32BE(REQUEST_MAGIC, 0);
    request.writeUInt16BE(CMD_READ, 6);
    request.writeBigUInt64BE(handle, 8);
    request.writeBigUInt64BE(BigInt(offset), 16);
    request.writeUInt32BE(length, 24);
    return new Promise<Buffer>((resolve, reject) => {
      this.#waiting.set(handle, { length, resolve, reject });
      this.#socket.write(request);
    });
  }

  /** Says goodbye; qemu-nbd then ends. */
  close(): void {
    const request = Buffer.alloc(28);
    request.writeUInt32BE(REQUEST_MAGIC, 0);
    request.writeUInt16BE(CMD_DISCONNECT, 6);
    this.#socket.end(request);
    // What was asked for is no longer wanted, and the socket closes only once its bytes are gone.
    this.#socket.destroySoon();
  }

  async #receive(queue: ByteQueue): Promise<void> {
    try {
      for (;;) {
        const head = await queue.take(16);
        const waiting = this.#waiting.get(head.readBigUInt64BE(8));
        if (head.readUInt32BE(0) !== REPLY_MAGIC || !waiting) throw broken('it answers what was not asked');
        const errno = head.readUInt32BE(4);
        // It stays among the waiting until its bytes are there, so that it hears of a connection that ends between.
        if (errno !== 0) waiting.reject(broken(`the image cannot be read there (error ${errno})`));
        else waiting.resolve(await queue.take(waiting.length));
        this.#waiting.delete(head.readBigUInt64BE(8));
      }
    } catch (error) {
      this.#failure = error;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    }
  }
}
