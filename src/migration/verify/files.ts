import { UsageError, type Context } from '../../core/index.js';
import type { SourceFormat } from '../../convert/index.js';
import type { RunContext } from '../steps/step.js';
import { compared, guarded, notVerified, type Check, type Expected, type Subject } from './check.js';
import { readFileDisk } from './file.js';
import { expectedOf, filesOf } from './run.js';

/** What a file is compared with. */
export type Against =
  | { kind: 'nothing' }
  | { kind: 'hash'; hash: string }
  | { kind: 'file'; path: string; format?: SourceFormat }
  /** A disk of a run: the one of this label, the one that the file was made of, or its only one. */
  | { kind: 'run'; rc: RunContext; label: string | null };

/** Reads disk images on this machine as their guests see them; of another file the first chunk that differs is told. */
export async function verifyFiles(
  ctx: Context,
  paths: readonly string[],
  options: { against: Against; format?: SourceFormat },
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const path of paths) {
    const { against } = options;
    const rc = against.kind === 'run' ? against.rc : null;
    const label = against.kind === 'run' ? labelOf(against.rc, path, against.label) : null;
    const subject: Subject = {
      run: rc?.run ?? null,
      vm: rc?.state.vm?.name ?? null,
      label,
      side: 'file',
      object: path,
    };
    checks.push(
      await guarded(ctx, subject, async () => {
        const expected = await expectedBy(ctx, against, label);
        if (against.kind === 'run' && expected.contentHash === null) {
          return notVerified(
            subject,
            'the run knows no content hash of the disk',
            `See: stackferry status ${against.rc.run}`,
          );
        }
        return compared(subject, await readFileDisk(ctx, path, options.format), expected);
      }),
    );
  }
  return checks;
}

async function expectedBy(ctx: Context, against: Against, label: string | null): Promise<Expected> {
  switch (against.kind) {
    case 'nothing':
      return { contentHash: null, marks: null };
    case 'hash':
      return { contentHash: against.hash, marks: null };
    case 'file': {
      const { contentHash, marks } = await readFileDisk(ctx, against.path, against.format);
      return { contentHash, marks };
    }
    case 'run':
      return expectedOf(against.rc, label ?? '');
  }
}

function labelOf(rc: RunContext, path: string, said: string | null): string {
  if (said !== null) return said;
  const disks = filesOf(rc);
  const [only, ...more] = disks;
  const made = disks.find((disk) => disk.path === path);
  if (made) return made.label;
  if (only && more.length === 0) return only.label;
  throw new UsageError(
    `Run ${rc.run} has ${disks.length} disks, and ${path} is the file of none of them.`,
    `Say which one is meant: --disk ${disks.map((disk) => disk.label).join(' or ')}`,
  );
}
