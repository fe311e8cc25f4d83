import { open, stat } from 'node:fs/promises';
import { z } from 'zod';
import { StackferryError, messageOf, systemCode } from '../../core/index.js';
import type { RunState } from './fold.js';

/** A run whose journal is there and cannot be read: damaged, written by a newer program, or not ours to read. */
export interface UnreadableRun {
  run: string;
  /** Its folder, absolute. */
  dir: string;
  error: { code: string; message: string; hint: string | null };
  /** What its first line still says; null where that cannot be read either. */
  opened: { at: string; command: string; vm: RunState['vm'] } | null;
  /** When the journal was last written to; null where even that cannot be seen. */
  updatedAt: string | null;
}

/** Only what tells which VM the run is of: a newer program may have changed the rest. */
const firstLine = z.object({
  kind: z.literal('run.opened'),
  at: z.string(),
  command: z.string().catch('?'),
  vm: z.object({ id: z.string(), name: z.string(), uuid: z.string().nullable() }).nullable(),
});

/** A first line is far shorter. */
const FIRST_BYTES = 64 * 1024;

/** What can still be said of a run whose journal could not be read, which is told as `error`. */
export async function describeUnreadable(
  run: string,
  paths: { dir: string; journal: string },
  error: unknown,
): Promise<UnreadableRun> {
  const known = error instanceof StackferryError ? error : undefined;
  const updated = await stat(paths.journal).catch(() => null);
  return {
    run,
    dir: paths.dir,
    error: {
      code: known?.code ?? 'run.unreadable',
      message: known?.message ?? `The journal ${paths.journal} cannot be read: ${messageOf(error)}`,
      hint: known?.hint ?? 'Make it readable for your account.',
    },
    opened: await readFirstLine(paths.journal),
    updatedAt: updated === null ? null : updated.mtime.toISOString(),
  };
}

async function readFirstLine(path: string): Promise<UnreadableRun['opened']> {
  try {
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
      const text = buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '';
      const { at, command, vm } = firstLine.parse(JSON.parse(text));
      return { at, command, vm };
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** Whether the name is none of a run: a stray file, or a folder that held nothing yet when its maker was killed. */
export function isNoRun(error: unknown): boolean {
  return systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR';
}
