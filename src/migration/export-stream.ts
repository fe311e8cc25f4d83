import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackferryError, UsageError, quoteForHint } from '../core/index.js';
import { DRY_RUN_ID, inMemory, newState } from './dry.js';
import { lookAtSource, powerLeave, takeSource, type SourceRequest } from './migrate.js';
import { runSteps } from './runner.js';
import { sameProject, sourceOf, type SessionBase } from './session.js';
import { recheckStep, sourceStep } from './steps/source.js';
import { streamStep, type ByteSink, type StreamResult } from './steps/stream.js';
import { transferOf } from './steps/transfer.js';

/**
 * Writes one disk of a VM as an image to a stream. There is no run: nothing is kept that could be gone on with, in the
 * state folder or elsewhere. The source is looked at before and after, as for files.
 * @returns what was written; null for a dry run
 * @throws UsageError where it is not exactly one disk; StackferryError `export.reader_gone`, `export.write_failed`,
 *   `export.not_in_place` (exit code 3) for a disk whose files have to be copied here first.
 */
export async function exportToStream(
  base: SessionBase,
  request: { source: SourceRequest; format: 'raw' | 'qcow2'; sink: ByteSink },
): Promise<StreamResult | null> {
  const { source, format, sink } = request;
  // For what a run would keep beside its journal.
  const dir = await mkdtemp(join(tmpdir(), 'stackferry-'));
  try {
    const state = newState({ ...base, at: base.ctx.clock.now(), vm: null });
    const rc = inMemory({ ...base, dir, stateDir: base.store.dir, state, sameProject, sourceOf });
    const { source: found, labels } = await lookAtSource(rc, source);
    const [label, ...more] = labels;
    if (label === undefined || more.length > 0) {
      throw new UsageError(
        `${found.vm.name} has ${labels.length} disks, and stdout takes one.`,
        `Name it: --disk ${labels.join(', or --disk ')}`,
      );
    }
    const paths = base.store.paths(DRY_RUN_ID);
    await takeSource({ rc, paths }, source, { ...powerLeave(rc), toFile: true });
    if (transferOf(state) !== 'file') {
      throw new StackferryError(
        'export.not_in_place',
        `${label} of ${found.vm.name} is read from a copy of its files.`,
        {
          hint: `Let them be copied here: stackferry export --vm ${quoteForHint(found.vm.name)} --disk ${label} --disk-format ${format} --output DIR`,
          exitCode: 3,
        },
      );
    }
    const stream = streamStep(state, sink, label, format);
    const recheck = { ...recheckStep(state), needs: [stream.key] };
    await runSteps(rc, [sourceStep(state), stream, recheck]);
    const done = state.steps.get(stream.key);
    return done ? (done.result as StreamResult) : null;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
