import { z } from 'zod';
import type { Command } from 'commander';
import type { RunState } from '../migration/state/fold.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, formatSchema, read } from './options/parse.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  run: z.string().optional(),
  vm: z.string().optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('status')
    .summary('where the runs are, live')
    .description(
      'Lists all runs, or shows one: its steps, what it made, and, while it works, where it is now. Changes nothing.',
    )
    .argument('[run]', 'a run id, or its beginning')
    .option('--run <id>', 'the same as the argument')
    .option('--vm <selector>', 'only runs of this VM: its name, a glob, id:N or uuid:U');
  addFormat(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry status
  $ stackferry status r7k2
  $ watch -n 2 stackferry status r7k2
`,
  );
  command.action((run: string | undefined) => act(command, app, run));
}

async function act(command: Command, app: App, argument: string | undefined): Promise<void> {
  const options = read(command, schema);
  const [{ withTools }, text, { runsOfVm }, { readRun, surveyRuns }] = await Promise.all([
    import('./tools.js'),
    import('./status-text.js'),
    import('../migration/find-run.js'),
    import('../migration/survey-runs.js'),
  ]);
  await withTools(app, options, async ({ terminal, store }) => {
    const out = (line: string) => terminal.out(line);
    const wanted = argument ?? options.run;
    if (wanted !== undefined) {
      await text.printRun(out, options.format, store, await readRun(store, wanted));
      return;
    }
    const { runs, unreadable } = await surveyRuns(store);
    const ofVm = <T extends { vm: RunState['vm'] }>(list: readonly T[]) =>
      options.vm === undefined ? [...list] : runsOfVm(list, options.vm);
    const named = ofVm(unreadable.map((item) => ({ ...item, vm: item.opened?.vm ?? null })));
    // Of one that does not say whose it is no row is made where a VM is asked for; it is told of all the same.
    const told = unreadable.filter((item) => item.opened === null || named.some(({ run: id }) => id === item.run));
    const shown = { runs: ofVm(runs), unreadable: named };
    await text.printRuns(out, options.format, store, shown, terminal.tableWidth);
    for (const item of told) terminal.err(text.unreadableText(item));
    if (shown.runs.length === 0 && told.length === 0 && options.format === 'table') {
      const of = options.vm === undefined ? '' : ` of ${options.vm}`;
      terminal.err(`There are no runs${of} yet. Begin one: stackferry migrate --help\n`);
    }
  });
}
