import type { Disk } from './resolve.js';

const BLOCK = 1024 * 1024;

/** One run of a file: `[from, from + length)` of one type. */
interface Run {
  from: number;
  length: number;
  type: 'written' | 'zeroed' | 'absent';
}

/** Which MiB blocks of a flat extent hold bytes, as runs that cover it from end to end. */
export function blockRuns(sizeBytes: number, hasData: (block: number) => boolean, thin: boolean): Run[] {
  const runs: Run[] = [];
  for (let from = 0; from < sizeBytes; from += BLOCK) {
    const length = Math.min(BLOCK, sizeBytes - from);
    const type = hasData(from / BLOCK) ? 'written' : thin ? 'absent' : 'zeroed';
    const last = runs.at(-1);
    if (last?.type === type) last.length += length;
    else runs.push({ from, length, type });
  }
  return runs;
}

/**
 * `vmkfstools -t0`: one line a run, `[ offset: length] --> [TYPE FLAGS LVID:…/…:( from --> to)]`, in bytes. No recording
 * of it exists; the types are those that other tools look for: `VMFS -- LVID:` written, `VMFS Z- LVID:` allocated but
 * never written, `NOMP -- :` not allocated.
 */
export function blockMapText(disk: Disk, runs: Run[]): string {
  const volume = `${disk.datastore.uuid}/${disk.datastore.uuid}/1:`;
  const type = { written: `VMFS -- LVID:${volume}`, zeroed: `VMFS Z- LVID:${volume}`, absent: 'NOMP -- :' };
  const base = 2 * 1024 ** 3; // where on the volume the file would lie
  const cell = (value: number) => String(value).padStart(12);
  return runs
    .map((run) => {
      const at = run.type === 'absent' ? run.from : base + run.from;
      const place = `(${cell(at)} --> ${cell(at + run.length)})`;
      return `[${cell(run.from)}:${cell(run.length)}] --> [${type[run.type]}${place}]\n`;
    })
    .join('');
}
