/** What the services share: state, settings, files and background work. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CloudState } from './state.js';
import type { CloudSettings } from './types.js';

export class Core {
  readonly directory: string;
  readonly settings: CloudSettings;
  readonly state: CloudState;
  /** `http://127.0.0.1:PORT`; known once the server listens. */
  url = '';
  readonly #persist: boolean;
  readonly #work = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #saving: Promise<void> = Promise.resolve();

  constructor(directory: string, settings: CloudSettings, state: CloudState, persist: boolean) {
    this.directory = directory;
    this.settings = settings;
    this.state = state;
    this.#persist = persist;
  }

  /** Aborts when the cloud stops. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  imageFile(id: string): string {
    return join(this.directory, 'images', id);
  }

  /** As the real lab's NFS backend names them. */
  volumeFile(id: string): string {
    return join(this.directory, 'volumes', `volume-${id}`);
  }

  /** Runs work in the background; what it throws is given to `failed`, unless the cloud is being stopped. */
  background(work: () => Promise<void>, failed: (error: unknown) => void): void {
    const running = work()
      .catch((error: unknown) => {
        if (!this.signal.aborted) failed(error);
      })
      .then(() => this.save())
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  /** Waits; rejects when the cloud stops. */
  async sleep(ms: number): Promise<void> {
    this.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(new Error('the cloud was stopped'));
      };
      const timer = setTimeout(() => {
        this.signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      this.signal.addEventListener('abort', stop, { once: true });
    });
  }

  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#work);
    await this.save();
  }

  async prepare(): Promise<void> {
    await mkdir(join(this.directory, 'images'), { recursive: true });
    await mkdir(join(this.directory, 'volumes'), { recursive: true });
  }

  /** Writes state.json, one writer at a time, never a torn file. Does nothing unless the state is kept. */
  save(): Promise<void> {
    if (!this.#persist) return Promise.resolve();
    this.#saving = this.#saving.then(async () => {
      const path = join(this.directory, 'state.json');
      await writeFile(`${path}.new`, JSON.stringify(this.state), { mode: 0o600 });
      await rename(`${path}.new`, path);
    });
    return this.#saving;
  }

  async removeFile(path: string): Promise<void> {
    await rm(path, { force: true });
  }
}

/**
 * The state of an earlier run, or null. What was under way when it ended is in error, as after a restart of the real
 * services (Cinder's volume manager sets `creating` and `downloading` to `error` when it starts again).
 */
export async function loadState(directory: string): Promise<CloudState | null> {
  let text: string;
  try {
    text = await readFile(join(directory, 'state.json'), 'utf8');
  } catch {
    return null;
  }
  // Written by `save` alone; a version is there for the day its form changes.
  const state = JSON.parse(text) as CloudState;
  for (const volume of state.volumes) {
    if (volume.status === 'creating' || volume.status === 'downloading') volume.status = 'error';
  }
  for (const server of state.servers) {
    if (server.status === 'BUILD') server.status = 'ERROR';
    if (server.task_state !== null) server.task_state = null;
  }
  for (const image of state.images) if (image.status === 'saving') image.status = 'queued';
  return state;
}
