import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../../core/index.js';
import { SNAPSHOT_TIMEOUT_MS } from '../../esxi/clone/names.js';
import type { RunningSection } from '../../migration/steps/running.js';
import { wholeNumber } from './parse.js';

/** How a VM is copied while it runs. */
export function addRunningOptions(command: Command): Command {
  return command
    .optionsGroup('Running VM:')
    .option('--while-running', 'copy it as it runs: a snapshot for a moment, clones on the host, both removed')
    .option('--quiesce', "have VMware Tools quiesce the guest's file systems for the snapshot")
    .option('--clone-datastore <name>', "where the clones lie meanwhile; the first disk's datastore if unset")
    .option(
      '--timeout-snapshot <seconds>',
      'how long taking or removing the snapshot may take, 3600 if unset',
      wholeNumber(1),
    );
}

export const runningSchema = z.object({
  whileRunning: z.boolean().default(false),
  quiesce: z.boolean().optional(),
  cloneDatastore: z.string().optional(),
  timeoutSnapshot: z.number().optional(),
});

/** What was said of a running VM; null where nothing was. */
export function readRunning(
  options: z.infer<typeof runningSchema> & { powerOff?: boolean | undefined; forceOff?: boolean | undefined },
): RunningSection | null {
  const { whileRunning, quiesce, cloneDatastore, timeoutSnapshot } = options;
  if (!whileRunning) {
    const given = Object.entries({
      '--quiesce': quiesce,
      '--clone-datastore': cloneDatastore,
      '--timeout-snapshot': timeoutSnapshot,
    });
    const lone = given.find(([, value]) => value !== undefined);
    if (lone) throw new UsageError(`${lone[0]} goes with --while-running.`);
    return null;
  }
  if (options.powerOff === true || options.forceOff === true) {
    throw new UsageError('A VM is either copied while it runs or shut down first.', 'Leave one of the options out.');
  }
  return {
    quiesce: quiesce ?? false,
    datastore: cloneDatastore ?? null,
    timeout_ms: timeoutSnapshot === undefined ? SNAPSHOT_TIMEOUT_MS : timeoutSnapshot * 1000,
  };
}
