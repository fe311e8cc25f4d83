import { formatSeconds } from '../core/index.js';
import type { MigrateRequest } from '../migration/migrate.js';
import type { PlanEnd } from '../migration/migrate-plan.js';
import type { SessionBase } from '../migration/session.js';
import type { Format, Terminal } from '../ui/index.js';
import type { App } from './app.js';

/** What commands that move several VMs tell, and their exit codes. */

type Output = { app: App; terminal: Terminal; format: Format };

/** Prints what would be done for each VM; exit code 3 where one is blocked. */
export async function dryRunEach(
  { app, terminal, format }: Output,
  base: SessionBase,
  requests: readonly { one: MigrateRequest }[],
): Promise<void> {
  const [{ dryRun }, { printPlans }] = await Promise.all([import('../migration/dry-run.js'), import('./plan-text.js')]);
  const runs = [];
  for (const { one } of requests) runs.push(await dryRun(base, one));
  await printPlans((text) => terminal.out(text), format, runs, terminal.tableWidth);
  if (runs.some((run) => run.blocked !== null)) app.exitCode(3);
}

/** Tells how the VMs have ended, in so long; exit code 4 where some failed, 1 where all did. */
export async function tellEnds(
  { app, terminal, format }: Output,
  ends: readonly PlanEnd[],
  milliseconds: number,
): Promise<void> {
  const [{ printResult }, { planResult }] = await Promise.all([
    import('./results.js'),
    import('../migration/migrate-plan.js'),
  ]);
  const failed = ends.filter((end) => end.error !== null);
  if (!terminal.quiet) {
    const undo = ends.flatMap((end) => end.result?.run ?? []).map((run) => `stackferry rollback ${run}`);
    terminal.err(
      `${ends.length - failed.length} of ${ends.length} VM(s) done in ${formatSeconds(milliseconds / 1000)}. Undo: ${undo.join('; ')}\n`,
    );
    if (failed.length > 0) terminal.err('Go on with the others: the same command again\n');
  }
  await printResult((text) => terminal.out(text), format, planResult(ends));
  if (failed.length > 0) app.exitCode(failed.length < ends.length ? 4 : 1);
}
