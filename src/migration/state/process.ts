import { readFile } from 'node:fs/promises';
import { systemCode } from '../../core/index.js';

/** A process as a file's name keeps it: with the time of its start, so that a recycled id is never taken for it. */
export interface ProcessName {
  pid: number;
  /** Clock ticks since boot, as text; `0` where this system does not say. */
  started: string;
}

/** This process, as other ones will look for it. */
export async function thisProcess(): Promise<ProcessName> {
  return { pid: process.pid, started: (await processAt(process.pid)).started ?? '0' };
}

/** Whether this very process still lives; where nobody knows when it was started, its id counts. */
export async function isAlive({ pid, started }: ProcessName): Promise<boolean> {
  const found = await processAt(pid);
  return found.alive && (found.started === null || started === '0' || found.started === started);
}

/**
 * Whether a process lives, and when it was started in clock ticks since boot (proc(5), fields 3 and 22 of
 * /proc/PID/stat; null elsewhere). A zombie is dead: only its parent has not looked yet.
 */
async function processAt(pid: number): Promise<{ alive: boolean; started: string | null }> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return { alive: false, started: null };
  }
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { alive: fields[0] !== 'Z' && fields[0] !== 'X', started: fields[19] ?? null };
  } catch {
    return { alive: true, started: null };
  }
}
