import { z } from 'zod';
import { RateMeter, type Clock, type StackferryEvent } from '../../core/index.js';
import { readJsonIfThere, writeAtomic } from './store.js';

const taskSchema = z.object({
  task: z.string(),
  label: z.string(),
  /** Bytes; `total` 0 while it is not known, and for a wait. */
  done: z.number(),
  total: z.number(),
  /** Bytes a second over the last seconds; 0 for a wait. */
  rate: z.number(),
  /** What a wait sees. */
  state: z.string().nullable(),
});

export const progressSchema = z.object({
  version: z.literal(1),
  at: z.string(),
  step: z.string().nullable(),
  tasks: z.array(taskSchema),
});
export type Progress = z.infer<typeof progressSchema>;
type Task = z.infer<typeof taskSchema> & { meter: RateMeter };

/** How often the file is written. */
const WRITE_EVERY_MS = 1_000;

/** Keeps `progress.json` of a run: where the work stands now, for `status` in another terminal. */
export class ProgressFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #tasks = new Map<string, Task>();
  #step: string | null = null;
  #written = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Takes an event in; writes at most about once a second. */
  readonly listen = (event: StackferryEvent): void => {
    switch (event.kind) {
      case 'step.started':
        this.#step = event.subject;
        break;
      case 'bytes.started':
        this.#begin(event.task, event.label, event.done, event.total);
        break;
      case 'bytes.progress': {
        const task = this.#tasks.get(event.task);
        if (task) this.#advance(task, event.done, event.total);
        break;
      }
      case 'wait.started':
        this.#begin(event.task, event.label, 0, 0);
        break;
      case 'wait.progress': {
        const task = this.#tasks.get(event.task);
        if (task) task.state = event.state;
        break;
      }
      case 'bytes.finished':
      case 'wait.finished':
        this.#tasks.delete(event.task);
        break;
      default:
        return;
    }
    if (this.#clock.now() - this.#written >= WRITE_EVERY_MS) this.#write();
  };

  /** Waits for the last write. */
  async close(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #begin(task: string, label: string, done: number, total: number): void {
    const meter = new RateMeter(this.#clock.now(), done);
    this.#tasks.set(task, { task, label, done, total, rate: 0, state: null, meter });
  }

  #advance(task: Task, done: number, total: number): void {
    task.done = done;
    task.total = total;
    task.meter.add(this.#clock.now(), done);
    task.rate = task.meter.rate;
  }

  #write(): void {
    this.#written = this.#clock.now();
    const tasks = [...this.#tasks.values()].map((task) => taskSchema.parse(task));
    const progress: Progress = { version: 1, at: new Date(this.#written).toISOString(), step: this.#step, tasks };
    // A progress file that cannot be written must never end a migration: the journal is what counts.
    this.#writing = this.#writing.then(() => writeAtomic(this.#path, JSON.stringify(progress))).catch(() => undefined);
  }
}

/** The progress of a run as its worker last wrote it; null where there is none. */
export async function readProgress(path: string): Promise<Progress | null> {
  return progressSchema.safeParse(await readJsonIfThere(path)).data ?? null;
}
