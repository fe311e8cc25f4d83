import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, formatSchema, read } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
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
      'Removes exactly what a run made in the cloud (server, ports, volumes, images), newest first, and its staged files. ' +
        "Only what its journal names or what carries its mark is touched. The source VM stays as it is. A server that has run may hold new data: its VM's name must be typed out.",
    )
    .argument('[run]', 'a run id, or its beginning')
    .option('--run <id>', 'the same as the argument')
    .option('--vm <name>', 'the only unfinished run of this VM')
    .option('--discard <name>', "the VM's name, typed out: give up what its server has written");
  addFormat(command);
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
  const [{ withTools }, { rollback }, { withRun }, { findRun }, { printResult }] = await Promise.all([
    import('./tools.js'),
    import('../migration/rollback.js'),
    import('../migration/session.js'),
    import('../migration/choose-run.js'),
    import('./results.js'),
  ]);
  await withTools(app, options, async ({ terminal, store, session }) => {
    const run = await findRun(store, { run: argument ?? options.run, vm: options.vm });
    const state = await store.read(run);
    if (options.discard !== undefined && state.vm !== null && options.discard !== state.vm.name) {
      throw new UsageError(
        `--discard "${options.discard}" is not the name of the VM of run ${run} (${state.vm.name}).`,
      );
    }
    const base = session('rollback', readSettings(options), options);
    const result = await withRun(base, { resume: run }, async ({ rc }) => {
      const outcome = await rollback(rc, options.discard === undefined ? {} : { discard: options.discard });
      if (outcome.left.length === 0) return 'rolled_back';
      app.exitCode(1);
      return 'open';
    });
    if (!terminal.quiet && result.state === 'rolled_back') terminal.err('All that the run made is gone.\n');
    await printResult((text) => terminal.out(text), options.format, result);
  });
}
