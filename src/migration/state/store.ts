import { randomInt } from 'node:crypto';
import { mkdir, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  StackferryError,
  UsageError,
  makeFolders,
  messageOf,
  systemCode,
  writeWhole,
  type Clock,
} from '../../core/index.js';
import { MeasuredTimes } from '../measured/store.js';
import { foldJournal, type RunState } from './fold.js';
import { Journal, damaged, readJournal } from './journal.js';
import { JOURNAL_VERSION, type JournalLine } from './journal-line.js';
import { lockHolder, lockRun, type RunLock } from './lock.js';
import { describeUnreadable, isNoRun, type UnreadableRun } from './unreadable.js';

/** Files of a run, under the state directory. */
export interface RunPaths {
  dir: string;
  journal: string;
  /** Beginning of the names of the lock's files (see lock.ts). */
  lock: string;
  /** Written about once a second while a program works on the run; read by `status`. */
  progress: string;
  report: string;
  /** Where disks are staged unless `--output` says otherwise. */
  disks: string;
}

/** A run that this process works on: locked, its journal open. */
export interface OpenRun {
  paths: RunPaths;
  journal: Journal;
  close(): Promise<void>;
}

/** All runs of one state directory (mode 0700, one folder a run). */
export class RunStore {
  readonly dir: string;
  /** What runs have measured of clouds. */
  readonly measured: MeasuredTimes;
  readonly #clock: Clock;

  constructor(dir: string, clock: Clock) {
    this.dir = dir;
    this.measured = new MeasuredTimes(join(dir, 'measured.json'));
    this.#clock = clock;
  }

  paths(run: string): RunPaths {
    const dir = join(this.dir, 'runs', run);
    return {
      dir,
      journal: join(dir, 'journal.jsonl'),
      lock: join(dir, 'lock'),
      progress: join(dir, 'progress.json'),
      report: join(dir, 'report.json'),
      disks: join(dir, 'disks'),
    };
  }

  /** Begins a run. Its id is new on this machine and, being random, in the cloud, where it marks all that is made. */
  async create(opening: {
    command: string;
    program: string;
    vm: RunState['vm'];
  }): Promise<{ run: string; open: OpenRun }> {
    await this.#makeDir(join(this.dir, 'runs'));
    for (let attempt = 0; attempt < 10; attempt++) {
      const run = `r${randomId(7)}`;
      const paths = this.paths(run);
      try {
        await mkdir(paths.dir, { mode: 0o700 });
      } catch (error) {
        if (systemCode(error) === 'EEXIST') continue;
        throw stateError(paths.dir, error);
      }
      const open = await this.#open(run, paths);
      try {
        await open.journal.append({ kind: 'run.opened', version: JOURNAL_VERSION, run, ...opening });
      } catch (error) {
        await open.close();
        await rm(paths.dir, { recursive: true, force: true });
        throw error;
      }
      await syncDir(paths.dir);
      await syncDir(dirname(paths.dir));
      return { run, open };
    }
    throw new StackferryError('state.unusable', `No free run id under ${this.dir}.`, { hint: 'Try again.' });
  }

  /** Opens a run to go on with it; `command` is noted as a session. */
  async reopen(run: string, command: string): Promise<OpenRun> {
    const open = await this.#open(run, this.paths(run));
    await open.journal.append({ kind: 'session', pid: process.pid, command });
    return open;
  }

  /** Opens a run to note what became of something it made; no session of it begins. */
  async amend(run: string): Promise<OpenRun> {
    return this.#open(run, this.paths(run));
  }

  /** Whether there is a run of this id whose journal can be written to. */
  async has(run: string): Promise<boolean> {
    return stateOf(await readJournal(this.paths(run).journal).catch(() => []), run) !== null;
  }

  /** The state of every run that can be read, oldest first. */
  async list(): Promise<RunState[]> {
    return (await this.survey()).runs;
  }

  /** Every run, oldest first: those that can be read, and apart from them those that cannot. */
  async survey(): Promise<{ runs: RunState[]; unreadable: UnreadableRun[] }> {
    let names: string[];
    try {
      names = await readdir(join(this.dir, 'runs'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { runs: [], unreadable: [] };
      throw stateError(this.dir, error);
    }
    const runs: RunState[] = [];
    const unreadable: UnreadableRun[] = [];
    for (const name of names.sort()) {
      const paths = this.paths(name);
      try {
        const state = stateOf(await readJournal(paths.journal), paths.journal);
        if (state) runs.push(state);
      } catch (error) {
        if (isNoRun(error)) continue;
        if (systemCode(error) === undefined && !(error instanceof StackferryError)) throw error;
        unreadable.push(await describeUnreadable(name, paths, error));
      }
    }
    return { runs: runs.sort((a, b) => a.openedAt.localeCompare(b.openedAt)), unreadable };
  }

  /** The state of one run, by its id or the beginning of it. */
  async read(idOrPrefix: string): Promise<RunState> {
    const run = await this.resolveId(idOrPrefix);
    const { dir, journal } = this.paths(run);
    let state: RunState | null = null;
    try {
      state = stateOf(await readJournal(journal), journal);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error instanceof StackferryError ? error : stateError(dir, error);
    }
    if (!state) throw new UsageError(`Run ${run} holds nothing yet.`, LIST_HINT);
    return state;
  }

  /** The full id for an id or its beginning. */
  async resolveId(idOrPrefix: string): Promise<string> {
    if (!/^[A-Za-z0-9_-]+$/.test(idOrPrefix)) throw new UsageError(`"${idOrPrefix}" is no run id.`, LIST_HINT);
    let names: string[] = [];
    try {
      names = await readdir(join(this.dir, 'runs'));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw stateError(this.dir, error);
    }
    if (names.includes(idOrPrefix)) return idOrPrefix;
    const fitting = names.filter((name) => name.startsWith(idOrPrefix));
    if (fitting.length === 1 && fitting[0] !== undefined) return fitting[0];
    throw new UsageError(
      fitting.length === 0
        ? `There is no run ${idOrPrefix} in ${this.dir}.`
        : `"${idOrPrefix}" fits several runs: ${fitting.join(', ')}.`,
      LIST_HINT,
    );
  }

  /** Process id of the program that works on the run now, or null. */
  async worker(run: string): Promise<number | null> {
    return lockHolder(this.paths(run).lock);
  }

  async #open(run: string, paths: RunPaths): Promise<OpenRun> {
    let lock: RunLock | undefined;
    try {
      lock = await lockRun(paths.lock, run);
      const journal = await Journal.open(paths.journal, this.#clock);
      const held = lock;
      return {
        paths,
        journal,
        close: async () => {
          await journal.close();
          await held.release();
        },
      };
    } catch (error) {
      await lock?.release();
      if (error instanceof StackferryError) throw error;
      throw stateError(paths.dir, error);
    }
  }

  async #makeDir(dir: string): Promise<void> {
    try {
      await makeFolders(dir, 0o700);
      const mode = (await stat(this.dir)).mode & 0o777;
      if ((mode & 0o077) !== 0) {
        throw new StackferryError('state.unusable', `The state directory ${this.dir} can be read by others.`, {
          hint: `chmod 700 '${this.dir}'`,
        });
      }
    } catch (error) {
      throw error instanceof StackferryError ? error : stateError(dir, error);
    }
  }
}

/** The fold of a journal; null where it was cut off in its first line, so that nothing was made. */
function stateOf(lines: readonly JournalLine[], path: string): RunState | null {
  const state = foldJournal(lines);
  if (state === null && lines.length > 0) throw damaged(path, 1, 'it does not open a run');
  return state;
}

const LIST_HINT = 'List them with: stackferry status';

/** Writes a small file of a run, for its owner alone, so that a reader sees the old or the new content, never half of it. */
export function writeAtomic(path: string, content: string): Promise<void> {
  return writeWhole(path, content, { mode: 0o600 });
}

/** Reads and parses a JSON file; null when it is not there or not whole. */
export async function readJsonIfThere(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch {
    return null;
  }
}

async function syncDir(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch {
    // some file systems refuse to sync a directory; the file itself is synced
  } finally {
    await handle.close();
  }
}

function stateError(path: string, error: unknown): StackferryError {
  return new StackferryError('state.unusable', `The state directory cannot be used: ${path}: ${messageOf(error)}`, {
    hint: 'Set STACKFERRY_STATE_DIR to a folder of yours on a disk with room.',
    cause: error,
  });
}

function randomId(length: number): string {
  const letters = '0123456789abcdefghjkmnpqrstvwxyz';
  return Array.from({ length }, () => letters[randomInt(letters.length)] ?? '0').join('');
}
