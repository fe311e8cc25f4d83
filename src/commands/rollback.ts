import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { RollbackOutcome } from '../migration/rollback.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, formatSchema, read } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addSourceOptions, sourceSchema } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  discard: z.string().optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('rollback')
    .summary('remove what a run made')
    .description(
      'Removes exactly what a run made in the cloud (server, ports, volumes, images), newest first, its staged files, ' +
        'and what a copy of a running VM left on the host (its snapshot, its clones), ' +
        'and lists it; files under --output stay and are named. ' +
        "Only what its journal names or what carries its mark is touched. The source VM stays as it is. A server that has run may hold new data: its VM's name must be typed out.",
    )
    .argument('[run]', 'a run id, or at least 4 characters of its beginning')
    .option('--run <id>', 'the same as the argument')
    .option('--vm <selector>', 'the only unfinished run of this VM: its name, id:N or uuid:U')
    .option('--discard <name>', "the VM's name, typed out: give up what its server has written");
  addFormat(command);
  addDryRun(command);
  addSourceOptions(command);
  addTargetOptions(command);
  addTimeoutOptions(command, ['volume', 'server']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry rollback r7k2m9qx
  $ stackferry rollback r7k2m9qx --discard web01
`,
  );
  command.action((run: string | undefined) => act(command, app, run));
}

async function act(command: Command, app: App, argument: string | undefined): Promise<void> {
  const options = read(command, schema);
  const [{ withTools }, { rollback }, { sourceOptionsOf }, { withRun }, { findRun }, { printResult }, { printable }] =
    await Promise.all([
      import('./tools.js'),
      import('../migration/rollback.js'),
      import('../migration/phases.js'),
      import('../migration/session.js'),
      import('../migration/find-run.js'),
      import('./results.js'),
      import('../ui/index.js'),
    ]);
  await withTools(app, options, async ({ terminal, store, session }) => {
    const run = await findRun(store, { run: argument ?? options.run, vm: options.vm }, 'rollback');
    const state = await store.read(run);
    if (options.discard !== undefined && state.vm !== null && options.discard !== state.vm.name) {
      throw new UsageError(
        `--discard "${options.discard}" is not the name of the VM of run ${run} (${state.vm.name}).`,
      );
    }
    const base = session('rollback', readSettings(options), { ...(await sourceOptionsOf(store, run)), ...options });
    let outcome: RollbackOutcome = { removed: [], left: [], keptFiles: [] };
    const result = await withRun(base, { resume: run }, async ({ rc }) => {
      outcome = await rollback(rc, options.discard === undefined ? {} : { discard: options.discard });
      if (outcome.left.length === 0) return 'rolled_back';
      app.exitCode(1);
      return 'open';
    });
    if (await endDry(terminal, options.format, base)) return;
    const { removed, left, keptFiles: kept } = outcome;
    if (!terminal.quiet) {
      if (result.state === 'rolled_back') {
        terminal.err(`All that the run made${kept.length === 0 ? '' : ' in the cloud'} is gone.\n`);
      }
      if (kept.length > 0) {
        terminal.err('Its files stay, for they lie in a folder that was named with --output:\n');
        for (const path of kept) terminal.err(`  ${printable(path)}\n`);
      }
    }
    if (options.format === 'table') {
      for (const { kind, id, name } of removed) {
        terminal.out(`removed  ${kind}  ${printable(name)}${id === null ? '' : `  ${id}`}\n`);
      }
    }
    const whole = { ...result, removed, left, kept_files: kept };
    await printResult((text) => terminal.out(text), options.format, whole);
  });
}
