import { randomInt } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StackferryError, systemCode } from '../../core/index.js';
import { isAlive, thisProcess } from './process.js';

/**
 * The lock of a run is a file `lock.PID.STARTED` for each process that holds it or tries to. A process first makes its
 * own file and then looks for others: of two that try at once at least one sees the other, so never do both hold it. The
 * name says who it is, so the file of a dead process can be removed without ever hitting that of a living one.
 */

/** A held lock. `release` is safe to call twice. */
export interface RunLock {
  release(): Promise<void>;
}

/** Two that begin in the same moment both step back; the waits between tries are random, so one gets ahead. */
const TRIES = 8;
const MAX_WAIT_MS = 60;

/**
 * Takes the lock of a run, so that two programs never work on it at once. A lock whose process has ended (kill -9)
 * is taken over. `path` is the beginning of the names.
 * @throws StackferryError `run.locked` when another living process holds it.
 */
export async function lockRun(path: string, run: string): Promise<RunLock> {
  const { pid, started } = await thisProcess();
  const own = `${path}.${pid}.${started}`;
  for (let attempt = 1; ; attempt++) {
    try {
      await writeFile(own, '', { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (systemCode(error) === 'EEXIST') throw locked(run, pid);
      throw error;
    }
    const other = await livingHolder(path, own);
    if (other === null) return { release: () => rm(own, { force: true }) };
    await rm(own, { force: true });
    if (attempt === TRIES) throw locked(run, other);
    await delay(randomInt(1, MAX_WAIT_MS));
  }
}

/** The living process that holds the lock, or null. */
export async function lockHolder(path: string): Promise<number | null> {
  return livingHolder(path, null);
}

/** Another living process with a file of this lock; files of dead ones are removed on the way if the lock is wanted. */
async function livingHolder(path: string, own: string | null): Promise<number | null> {
  const dir = dirname(path);
  for (const name of await namesIn(dir)) {
    const file = join(dir, name);
    const [pid, started] = holderOf(name, basename(path));
    if (pid === null || file === own) continue;
    if (await isAlive({ pid, started })) return pid;
    if (own !== null) await rm(file, { force: true });
  }
  return null;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function holderOf(name: string, stem: string): [number, string] | [null, null] {
  const match = name.startsWith(`${stem}.`) ? /^(\d{1,10})\.(\d{1,20})$/.exec(name.slice(stem.length + 1)) : null;
  return match?.[1] && match[2] ? [Number(match[1]), match[2]] : [null, null];
}

function locked(run: string, pid: number): StackferryError {
  return new StackferryError('run.locked', `Run ${run} is being worked on by process ${pid}.`, {
    hint: `Watch it with: stackferry status --run ${run}. Stop it with Ctrl-C in its terminal, or: kill -INT ${pid}`,
    details: { pid },
  });
}
