import { z } from 'zod';
import type { Command } from 'commander';
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
    .option('--vm <name>', 'only runs of this VM');
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
  const [{ withTools }, text] = await Promise.all([import('./tools.js'), import('./status-text.js')]);
  await withTools(app, options, async ({ terminal, store }) => {
    const out = (line: string) => terminal.out(line);
    const wanted = argument ?? options.run;
    if (wanted !== undefined) {
      await text.printRun(out, options.format, store, await store.read(wanted));
      return;
    }
    const all = await store.list();
    const runs = all.filter((state) => options.vm === undefined || state.vm?.name === options.vm);
    await text.printRuns(out, options.format, store, runs);
    if (runs.length === 0 && options.format === 'table')
      terminal.err('There are no runs yet. Begin one: stackferry migrate --help\n');
  });
}
