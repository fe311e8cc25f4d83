import { InterruptedError, StackferryError, messageOf, throwIfAborted } from '../core/index.js';
import type { PlannedCall, RunContext, Step } from './steps/step.js';

/**
 * Runs steps in order. A step whose result the journal holds is not run again, unless what it made is gone and a step
 * that is still to run needs it. Ends with the first error, noted in the journal.
 */
export async function runSteps(rc: RunContext, steps: readonly Step[]): Promise<void> {
  if (rc.dry) {
    await previewSteps(rc, rc.dry, steps);
    return;
  }
  await resetLostSteps(rc, steps);
  for (const step of steps) {
    throwIfAborted(rc.ctx.signal);
    if (rc.state.steps.get(step.key)?.state === 'done') {
      rc.ctx.events.emit({ kind: 'step.skipped', step: step.key, subject: step.subject, summary: 'done before' });
      continue;
    }
    await runStep(rc, step);
  }
}

/** Collects what steps would change; those that are done would not be run again. */
async function previewSteps(rc: RunContext, calls: PlannedCall[], steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    throwIfAborted(rc.ctx.signal);
    if (rc.state.steps.get(step.key)?.state === 'done') continue;
    calls.push(...((await step.preview?.(rc)) ?? []));
  }
}

async function runStep(rc: RunContext, step: Step): Promise<void> {
  const { events, clock } = rc.ctx;
  const start = clock.now();
  await rc.record({ kind: 'step.started', step: step.key });
  events.emit({ kind: 'step.started', step: step.key, subject: step.subject });
  try {
    const { result, summary } = await step.run(rc);
    const seconds = (clock.now() - start) / 1000;
    await rc.record({ kind: 'step.done', step: step.key, seconds, result });
    events.emit({ kind: 'step.finished', step: step.key, subject: step.subject, seconds, summary });
  } catch (error) {
    if (error instanceof InterruptedError || rc.ctx.signal.aborted) throw error;
    const { code, message, hint } = describe(error);
    await rc.record({ kind: 'step.failed', step: step.key, code, message, ...(hint === undefined ? {} : { hint }) });
    events.emit({ kind: 'step.failed', step: step.key, subject: step.subject, code, message });
    throw error;
  }
}

/**
 * Looks from the last step back: a step that is to run needs others, and of those the ones whose result no longer
 * holds are to run as well.
 */
async function resetLostSteps(rc: RunContext, steps: readonly Step[]): Promise<void> {
  const needed = new Set<string>();
  for (const step of steps.toReversed()) {
    const done = rc.state.steps.get(step.key);
    let pending = done?.state !== 'done';
    if (!pending && needed.has(step.key) && step.holds && !(await step.holds(rc, done?.result))) {
      await rc.record({ kind: 'step.reset', step: step.key });
      pending = true;
    }
    if (pending) for (const key of step.needs) needed.add(key);
  }
}

/** What the journal and reports keep of an error. */
export function describe(error: unknown): { code: string; message: string; hint: string | undefined } {
  return error instanceof StackferryError
    ? { code: error.code, message: error.message, hint: error.hint }
    : { code: 'internal', message: messageOf(error), hint: undefined };
}
