import type { Agent } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { got } from 'got';
import { InterruptedError, throwIfAborted, whenAborted } from '../core/index.js';
import { readLost } from './read-error.js';
import type { SoapTarget } from './soap/target.js';
import { connectionError } from './soap/transport.js';

const CONNECT_MS = 20_000;
const ANSWER_MS = 120_000;

/** An answer whose body comes as it is taken. */
export interface OpenBody {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  body: Readable;
}

/**
 * Sends one GET and comes back when its answer begins, whatever its status. Nothing is followed, unpacked or tried again.
 * @throws StackferryError `esxi.unreachable`, `esxi.name_unknown`, `esxi.certificate`
 */
export async function openBody(request: {
  url: URL;
  headers: Readonly<Record<string, string>>;
  target: SoapTarget;
  agent: Agent;
  signal: AbortSignal;
}): Promise<OpenBody> {
  const { url, headers, target, agent, signal } = request;
  throwIfAborted(signal);
  const body = got.stream(url, {
    headers: { 'user-agent': 'stackferry', 'accept-encoding': 'identity', ...headers },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    agent: { https: agent },
    // A body that stands still is seen by whoever reads it: a slow taker is none.
    timeout: { lookup: 10_000, connect: CONNECT_MS, response: ANSWER_MS },
  });
  // Not by got's own option: it goes on listening to the signal when the request is long over, and fails then.
  body.once(
    'close',
    whenAborted(signal, () => body.destroy(new InterruptedError())),
  );
  try {
    const response = await new Promise<{ statusCode: number; headers: IncomingHttpHeaders }>((resolve, reject) => {
      body.once('response', resolve);
      body.once('error', reject);
    });
    // From here on an error is the reader's to hear of.
    body.on('error', () => undefined);
    return { status: response.statusCode, headers: response.headers, body };
  } catch (error) {
    throwIfAborted(signal);
    throw connectionError(error, target);
  }
}

/**
 * Gives a body's bytes as they come. Throws `esxi.connection_lost` where it breaks off or stands still for two minutes;
 * only the waiting for bytes counts, not what the taker does with them.
 */
export async function* bytesOf(body: Readable, path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const pieces = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const watch = { stalled: false };
  try {
    for (;;) {
      const timer = setTimeout(() => {
        watch.stalled = true;
        body.destroy();
      }, ANSWER_MS);
      let next: IteratorResult<Buffer>;
      try {
        next = await pieces.next();
      } catch (error) {
        throwIfAborted(signal);
        throw readLost(path, watch.stalled ? `: no byte for ${ANSWER_MS / 1000} s` : 'before its end', error);
      } finally {
        clearTimeout(timer);
      }
      throwIfAborted(signal);
      if (watch.stalled) throw readLost(path, `: no byte for ${ANSWER_MS / 1000} s`);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    body.destroy();
  }
}
