import { extname } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError, parseRate } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { collect, read } from './options/parse.js';
import { readPlanFile } from './options/plan-file.js';
import { addSourceOptions, sourceSchema } from './options/source.js';

const formats = ['html', 'md', 'json'] as const;

const schema = z.object({
  ...globalSchema.shape,
  ...sourceSchema.shape,
  inventory: z.string().optional(),
  from: z.string().optional(),
  run: z.array(z.string()).optional(),
  vm: z.array(z.string()).optional(),
  rate: z.string().optional(),
  format: z.enum(formats).optional(),
  output: z.string().optional(),
  plan: z.string().optional(),
});
type Options = z.infer<typeof schema>;

export function register(program: Command, app: App): void {
  const command = program
    .command('report')
    .summary('a page for a manager and an engineer: totals, readiness, findings, runs')
    .description(
      'Writes a report of a saved inventory, of runs, of both, or of the host itself: totals, readiness, the time to copy, ' +
        'and each VM with its findings and their remedies; of a run its steps by time, rates, and what was proved and what ' +
        'was not. The HTML is one file that asks for nothing from any network. Changes nothing.',
    )
    .argument('[run...]', 'run ids, or their beginnings')
    .option('--run <id>', 'the same as the argument (repeatable)', collect)
    .option('--from <file>', 'a saved inventory (inventory --save, or what inventory -f json prints; - for stdin)')
    .option('--inventory <file>', 'the same as --from')
    .option('--plan <file>', 'a plan: what it makes of each VM (flavor, volumes, networks) is shown with it')
    .option('--vm <selector>', 'only these (repeatable): a name, a glob, id:N or uuid:U', collect)
    .option('--rate <rate>', 'for the time to copy: 80MiB/s, 1Gbit/s; unset, what the runs reached, or an assumption')
    .addOption(
      new Option('-f, --format <format>', "how it is written: html, or as -o's ending says, if unset").choices(formats),
    )
    .option('-o, --output <file>', 'where it is written, over what is there; stdout if unset');
  addSourceOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry report --from esx1.json -o esx1.html
  $ stackferry report --from esx1.json --vm 'web*' --rate 1Gbit/s -f md
  $ stackferry report --from esx1.json --plan plan.yaml -o esx1.html
  $ stackferry report r7k2 -o r7k2.html
  $ stackferry report --esxi esx1 -o esx1.html
`,
  );
  command.action((runs: string[]) => act(command, app, runs));
}

async function act(command: Command, app: App, words: string[]): Promise<void> {
  const options = read(command, schema);
  const runs = [...new Set([...words, ...(options.run ?? [])])];
  const file = savedFile(options);
  if (file === undefined && runs.length === 0) nameASource(app, options);
  const plan = options.plan === undefined ? undefined : await readPlanFile(app, options.plan);
  const rate = options.rate === undefined ? undefined : parseRate(options.rate, '--rate');
  const format = options.format ?? formatOf(options.output);
  const [{ withTools }, { collectReport }, { renderReport }] = await Promise.all([
    import('./tools.js'),
    import('./report-input.js'),
    import('../migration/report/index.js'),
  ]);
  await withTools(app, options, async (tools) => {
    const report = await collectReport(tools, {
      runs,
      file,
      host: file === undefined && (runs.length === 0 || options.esxi !== undefined) ? options : undefined,
      selectors: options.vm,
      rate,
      plan,
    });
    const text = await renderReport(format, report);
    if (options.output === undefined || options.output === '-') {
      tools.terminal.out(text);
      return;
    }
    const { writeOutput } = await import('./report-output.js');
    await writeOutput(app.cwd, options.output, text);
    if (!tools.terminal.quiet) {
      const { vms } = report.totals;
      tools.terminal.err(`Wrote ${options.output}: ${vms} VM${vms === 1 ? '' : 's'}. Nothing was changed.\n`);
    }
  });
}

/** The saved inventory, by either of its two names. */
function savedFile({ from, inventory, esxi }: Options): string | undefined {
  const file = from ?? inventory;
  if (from !== undefined && inventory !== undefined && from !== inventory) {
    throw new UsageError('--from and --inventory name two files.', 'They mean the same: name one.');
  }
  if (file !== undefined && esxi !== undefined) {
    const option = from === undefined ? '--inventory' : '--from';
    throw new UsageError(`Both ${option} and --esxi are given.`, 'Name one: a file, or the host itself.');
  }
  return file;
}

/** Says of a bare `report` what it can be made of, before anything asks for a host. */
function nameASource(app: App, options: Options): void {
  if (options.esxi !== undefined || app.env['STACKFERRY_ESXI'] || app.env['GOVC_URL']) return;
  throw new UsageError(
    'Nothing is named that a report could be made of.',
    'Use --from FILE, a RUN (list them with: stackferry status), or --esxi HOST.',
  );
}

const endings: Record<string, (typeof formats)[number]> = {
  '': 'html',
  '.html': 'html',
  '.htm': 'html',
  '.md': 'md',
  '.markdown': 'md',
  '.json': 'json',
};

/** How a file of this name is written; one without an ending as a page, for that is what most want. */
function formatOf(output = ''): (typeof formats)[number] {
  const ending = extname(output).toLowerCase();
  const format = endings[ending];
  if (format !== undefined) return format;
  throw new UsageError(
    `-o ${output}: a report is not written as ${ending}.`,
    'Let the name end in .html, .md or .json, or say how it is written: -f html, -f md or -f json.',
  );
}
