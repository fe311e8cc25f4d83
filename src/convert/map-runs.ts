import type { Context } from '../core/index.js';
import { qemuImg } from './qemu-img.js';

/** A run of an image's guest view, as `qemu-img map` tells it. */
export interface Run {
  start: number;
  length: number;
  zero: boolean;
}

/** The runs of an image in their order; neighbours of one kind are one run. */
export async function mapRuns(path: string, format: string, ctx: Context): Promise<Run[]> {
  const runs: Run[] = [];
  await qemuImg(['map', '--output=json', '-f', format, path], ctx, {
    what: `map ${path}`,
    // One object a line: [{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true …
    onLine: (line) => {
      const match = /"start": (\d+), "length": (\d+),.*"zero": (true|false)/.exec(line);
      if (!match) return;
      const run = { start: Number(match[1]), length: Number(match[2]), zero: match[3] === 'true' };
      const last = runs.at(-1);
      if (last?.zero === run.zero && last.start + last.length === run.start) last.length += run.length;
      else runs.push(run);
    },
  });
  return runs;
}
