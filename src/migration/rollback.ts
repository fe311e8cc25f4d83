import { rm } from 'node:fs/promises';
import { StackferryError, isCode, throwIfAborted } from '../core/index.js';
import { listSteps } from './steps/list.js';
import { hasLaunched, serversOf } from './steps/server.js';
import { section, type RunContext } from './steps/step.js';

export interface RollbackOptions {
  /** The VM's name, typed out: the server has run and what it wrote is given up. */
  discard?: string;
}

export interface RollbackOutcome {
  /** Resources that could not go, with why. Empty when all that the run made is gone. */
  left: { resource: string; message: string }[];
}

/**
 * Removes what the run made, newest first: only what its journal names or what carries its mark. Safe to run again.
 * @throws StackferryError `rollback.server_has_run` unless `discard` is the VM's name.
 */
export async function rollback(rc: RunContext, options: RollbackOptions): Promise<RollbackOutcome> {
  const steps = listSteps(rc.state).toReversed();
  const touchesCloud = rc.state.resources.some((item) => item.resource !== 'file' && !item.gone);
  const left: RollbackOutcome['left'] = [];
  if (touchesCloud) {
    await confirmDiscard(rc, options.discard);
    for (const step of steps) {
      throwIfAborted(rc.ctx.signal);
      if (!step.undo || !rc.state.resources.some((item) => item.step === step.key && !item.gone)) continue;
      try {
        await step.undo(rc);
        // An announced resource that is nowhere to be found was never made.
        for (const item of rc.state.resources) if (item.step === step.key && item.id === null) item.gone = true;
      } catch (error) {
        if (!isCode(error, 'cloud.image_in_use') && !isCode(error, 'cloud.volume_in_use')) throw error;
        left.push({ resource: step.subject, message: error.message });
        rc.ctx.events.emit({
          kind: 'warning',
          code: error.code,
          message: error.message,
          hint: 'Run rollback again later.',
        });
        continue;
      }
      if (rc.state.steps.has(step.key)) await rc.record({ kind: 'step.reset', step: step.key });
    }
  }
  const boot = rc.state.steps.has('boot');
  if (boot) await rc.record({ kind: 'step.reset', step: 'boot' });
  const source = section(rc.state, 'source');
  if (source?.ownDir === true) await rm(source.outputDir, { recursive: true, force: true });
  return { left };
}

async function confirmDiscard(rc: RunContext, typed: string | undefined): Promise<void> {
  const cloud = await rc.cloud();
  const name = rc.state.vm?.name ?? section(rc.state, 'server')?.name ?? rc.run;
  for (const id of await serversOf(rc, cloud)) {
    const server = await cloud.servers.find(id);
    if (!server || !hasLaunched(server)) continue;
    const answer =
      typed ??
      (await rc.ctx.events.ask({
        type: 'text',
        code: 'rollback.discard',
        message: `Server ${server.name} has run and may hold new data, which will be lost. Type the VM's name to go on`,
        option: `--discard ${quoteForHint(name)}`,
      }));
    if (answer === name) return;
    throw new StackferryError(
      'rollback.server_has_run',
      `Server ${server.name} has run and may hold new data; nothing was removed.`,
      {
        hint: `To give that data up: stackferry rollback ${rc.run} --discard ${quoteForHint(name)}`,
      },
    );
  }
}

function quoteForHint(text: string): string {
  return /^[\w.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
