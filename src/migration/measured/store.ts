import { readFile, rename, stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf, systemCode, writeWhole, type Context } from '../../core/index.js';
import { lockRun } from '../state/lock.js';
import { isTelling, measuredSample, ofCloud, placeUrl, withSample, type MeasuredCloud } from './samples.js';
import type { MeasuredSample } from './samples.js';

const VERSION = 1;
const fileSchema = z.object({ version: z.literal(VERSION), samples: z.array(measuredSample) });
const newerSchema = z.object({ version: z.number().gt(VERSION) });

/** What is kept is far smaller. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * What runs on this machine have measured of clouds: one small file in the state folder, for its owner alone, written as
 * a whole. It is a help and no record: whatever is wrong with it, a migration goes on without it.
 */
export class MeasuredTimes {
  readonly #path: string;
  /** One after another within this process; the lock is for others. */
  #adding: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** The samples of one cloud, oldest first; none where the file is not there, damaged, or of a newer program. */
  async of(cloud: MeasuredCloud): Promise<MeasuredSample[]> {
    const read = await this.#read();
    return 'samples' in read ? ofCloud(read.samples, cloud) : [];
  }

  /** Remembers a sample that is large enough to tell something. A damaged file is put aside, and told of. */
  async add(sample: MeasuredSample, ctx: Pick<Context, 'events' | 'log'>): Promise<void> {
    // A clock that was set back has measured nothing.
    const { data: added } = measuredSample.safeParse({ ...sample, auth_url: placeUrl(sample.auth_url) });
    if (!added || !isTelling(added)) return;
    this.#adding = this.#adding.then(async () => {
      try {
        const lock = await lockRun(`${this.#path}.lock`, 'measured');
        try {
          await this.#add(added, ctx);
        } finally {
          await lock.release();
        }
      } catch (error) {
        ctx.log.debug(`what was measured is not remembered: ${messageOf(error)}`);
      }
    });
    await this.#adding;
  }

  async #add(sample: MeasuredSample, ctx: Pick<Context, 'events'>): Promise<void> {
    const read = await this.#read();
    if ('newer' in read) return;
    if ('damaged' in read) {
      const aside = `${this.#path}.damaged`;
      await rename(this.#path, aside);
      const message = `${this.#path} holds no measured times that can be read; it is put aside as ${aside}.`;
      ctx.events.emit({ kind: 'notice', message });
    }
    const samples = withSample('samples' in read ? read.samples : [], sample);
    const text = `${JSON.stringify({ version: VERSION, samples }, null, 1)}\n`;
    await writeWhole(this.#path, text, { mode: 0o600 });
  }

  async #read(): Promise<{ samples: MeasuredSample[] } | { damaged: true } | { newer: true }> {
    try {
      if ((await stat(this.#path)).size > MAX_BYTES) return { damaged: true };
      const value: unknown = JSON.parse(await readFile(this.#path, 'utf8'));
      const file = fileSchema.safeParse(value);
      if (file.success) return { samples: file.data.samples };
      return newerSchema.safeParse(value).success ? { newer: true } : { damaged: true };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { samples: [] };
      // Not readable is not damaged: it is left where it is.
      return systemCode(error) === undefined ? { damaged: true } : { newer: true };
    }
  }
}
