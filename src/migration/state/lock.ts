import { open, readFile, rename, rm } from 'node:fs/promises';
import { StackferryError, systemCode } from '../../core/index.js';

/** Who holds a run: a process id, and the time it was started, so that a recycled id is never taken for it. */
interface Holder {
  pid: number;
  started: string | null;
}

/** A held lock. `release` is safe to call twice. */
export interface RunLock {
  release(): Promise<void>;
}

/**
 * Takes the lock of a run, so that two programs never work on it at once. A lock whose process has ended (kill -9)
 * is taken over.
 * @throws StackferryError `run.locked` when another living process holds it.
 */
export async function lockRun(path: string, run: string): Promise<RunLock> {
  const mine: Holder = { pid: process.pid, started: await startTime(process.pid) };
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      const handle = await open(path, 'wx', 0o600);
      try {
        await handle.writeFile(JSON.stringify(mine));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      let held = true;
      return {
        release: async () => {
          if (held) await rm(path, { force: true });
          held = false;
        },
      };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const holder = await readHolder(path);
    if (holder && (await isAlive(holder))) {
      throw new StackferryError('run.locked', `Run ${run} is being worked on by process ${holder.pid}.`, {
        hint: `Watch it with: stackferry status --run ${run}. Stop it with Ctrl-C in its terminal, or: kill -INT ${holder.pid}`,
        details: { pid: holder.pid },
      });
    }
    // Moving it aside is atomic: of two programs that found the same dead lock, one wins and the other looks again.
    const aside = `${path}.${process.pid}.stale`;
    try {
      await rename(path, aside);
      await rm(aside, { force: true });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  throw new StackferryError('run.locked', `The lock of run ${run} could not be taken.`, {
    hint: `Another program takes and leaves it all the time? Look at ${path}.`,
  });
}

/** The living process that holds the lock, or null. */
export async function lockHolder(path: string): Promise<number | null> {
  const holder = await readHolder(path);
  return holder && (await isAlive(holder)) ? holder.pid : null;
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, started: 'started' in value && typeof value.started === 'string' ? value.started : null };
  } catch {
    return null;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  const started = await startTime(holder.pid);
  return started === null || holder.started === null || started === holder.started;
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)); null elsewhere. */
async function startTime(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may itself hold blanks and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
