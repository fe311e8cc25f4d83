import { StackferryError, isCode, messageOf } from '../../core/index.js';
import type { Service } from '../service.js';

/** How often a download that was cut is gone on with. */
const TRIES = 5;
const WAIT_MS = 1_000;

/**
 * The bytes of an image as Glance gives them, at the pace of whoever takes them; a connection that is lost is gone on
 * with where it was (`Range`). Source: Image API v2, "Download binary image data".
 * @param size of the image; fewer or more bytes are an error
 * @throws StackferryError `cloud.not_found`, `cloud.unreachable`, `cloud.bad_answer`
 */
export async function* downloadImage(service: Service, id: string, size: number): AsyncGenerator<Buffer> {
  const { clock, events, signal } = service.ctx;
  const what = `download image ${id}`;
  let done = 0;
  for (let attempt = 1; done < size; attempt++) {
    try {
      const path = `/images/${encodeURIComponent(id)}/file`;
      for await (const chunk of service.download({ what, path, from: done })) {
        done += chunk.length;
        if (done > size) throw wrongSize(id, `more than ${size} bytes come`);
        yield chunk;
      }
      if (done < size)
        throw new StackferryError('cloud.unreachable', `Could not ${what}: it ended after ${done} bytes.`);
    } catch (error) {
      if (!isCode(error, 'cloud.unreachable') || attempt === TRIES) throw error;
      events.emit({ kind: 'retry', what, attempt, delayMs: WAIT_MS, reason: messageOf(error) });
      await clock.sleep(WAIT_MS, signal);
    }
  }
}

function wrongSize(id: string, why: string): StackferryError {
  return new StackferryError('cloud.bad_answer', `Image ${id} is not of the size that Glance says: ${why}.`, {
    hint: 'Ask the operator to look at its store.',
  });
}
