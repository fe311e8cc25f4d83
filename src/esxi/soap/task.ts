import { z } from 'zod';
import { type Context, StackferryError, poll } from '../../core/index.js';
import { faultError, localizedFault } from './fault.js';
import { readObject } from './properties.js';
import { type MoRef, element, maybe, node, one, readElement, reference, text } from './reading.js';
import { type SoapCall, type SoapSession, returned } from './session.js';
import { badAnswer } from './xml.js';

const infoSchema = node({
  state: one(text.pipe(z.enum(['queued', 'running', 'success', 'error']))),
  progress: maybe(text),
  error: maybe(element),
  result: maybe(element),
});

const POLL_MS = 500;

/** What a task made, where it made something: the reference of a snapshot. */
export interface TaskResult {
  made: MoRef | null;
}

/**
 * Starts a `…_Task` and waits for its end. Throws the task's fault as an error of ours, `esxi.timeout` where it does not
 * end in time (it goes on at the host then).
 */
export async function runTask(
  session: SoapSession,
  ctx: Context,
  call: SoapCall,
  timeoutMs: number,
): Promise<TaskResult> {
  const task = readElement(reference, returned(await session.change(call)));
  const end = await poll(ctx, {
    task: `task ${task.id}`,
    label: `the host to ${call.what}`,
    timeoutMs,
    intervalMs: POLL_MS,
    timeout: { code: 'esxi.timeout', hint: 'The task goes on at the host: look at it in the host client.' },
    look: async () => {
      const info = (await readObject(session, task, ['info'], `tell how far it is to ${call.what}`)).properties.get(
        'info',
      );
      if (!info) throw badAnswer(`the task ${task.id} tells nothing of itself`);
      return readElement(infoSchema, info);
    },
    done: ({ state }) => state === 'success' || state === 'error',
    describe: ({ state, progress }) => ({
      state,
      ...(progress !== undefined && /^\d{1,3}$/.test(progress) ? { percent: Number(progress) } : {}),
    }),
  });
  if (end.state === 'error') {
    if (end.error) throw faultError(call.what, localizedFault(end.error), task.id);
    throw new StackferryError('esxi.fault', `The host would not ${call.what}, and does not say why.`, {
      hint: 'Look at the recent tasks in the host client.',
    });
  }
  const made = end.result?.managedType ? { type: end.result.managedType, id: end.result.text } : null;
  return { made };
}
