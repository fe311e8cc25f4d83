import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { InventoryWithFindings } from '../migration/read-inventory.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addSourceOptions, sourceSchema, sourceTarget } from './options/source.js';
import type { Tools } from './tools.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  vm: z.array(z.string()).optional(),
  long: z.boolean().default(false),
  column: z.array(z.string()).optional(),
  sortColumn: z.array(z.string()).optional(),
  save: z.string().optional(),
  from: z.string().optional(),
});
type Options = z.infer<typeof schema>;

export function register(program: Command, app: App): void {
  const command = program
    .command('inventory')
    .summary("list the host's VMs, their disks, NICs and findings")
    .description(
      'Reads everything that the host says of its VMs, with what stands in the way of moving them. Changes nothing.',
    )
    .option('--vm <selector>', 'only these (repeatable): a name, a glob, id:N or uuid:U', collect);
  addFormat(command)
    .option('--long', 'more columns (table and csv; json and yaml have every field anyway)')
    .option('-c, --column <column>', 'only this column (repeatable), in the order given', collect)
    .option('--sort-column <column[:asc|desc]>', 'sort by this column (repeatable, the first counts most)', collect)
    .option('--save <file>', 'also write the whole inventory, all VMs, to this file (mode 0600)')
    .option('--from <file>', 'read a saved inventory (- for stdin); no host is asked');
  addSourceOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry inventory --esxi esx1
  $ stackferry inventory --vm 'web*' --vm id:12 -f json
  $ stackferry inventory --long --sort-column 'used/size gib:desc'
  $ stackferry inventory -c name -c ip_addresses -f csv
  $ stackferry inventory --save esx1.json
  $ stackferry inventory --from esx1.json --sort-column ready:desc
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.from !== undefined) {
    if (options.esxi !== undefined) {
      throw new UsageError('Both --from and --esxi are given.', 'Name one: a file, or the host itself.');
    }
    if (options.save !== undefined) {
      throw new UsageError('--save writes what was read from a host, and --from asks none.', 'Copy the file instead.');
    }
  }
  const [{ withTools }, text] = await Promise.all([import('./tools.js'), import('./inventory-text.js')]);
  const view = { format: options.format, long: options.long, columns: options.column, sort: options.sortColumn };
  text.checkView(view);
  await withTools(app, options, async (tools) => {
    const { terminal } = tools;
    const inventory = await inventoryOf(tools, options);
    await text.printInventory((line) => terminal.out(line), inventory, view, terminal.tableWidth);
    if (options.format === 'table') for (const item of inventory.skipped) terminal.err(text.skippedLine(item));
  });
}

/** From the file, or from the host and, where that is asked for, into a file. */
async function inventoryOf(tools: Tools, options: Options): Promise<InventoryWithFindings> {
  const { app, terminal, ctx } = tools;
  const { chosenOf, judgedInventory, readInventory } = await import('../migration/read-inventory.js');
  if (options.from !== undefined) {
    const [{ readInventoryText, warnOfAge }, { parseSavedInventory }, { savedWhen }] = await Promise.all([
      import('./options/inventory-file.js'),
      import('../migration/saved-inventory.js'),
      import('../migration/saved-age.js'),
    ]);
    const name = options.from === '-' ? 'stdin' : options.from;
    const saved = parseSavedInventory(await readInventoryText(app.cwd, options.from), name);
    const chosen = chosenOf(saved.inventory, options.vm);
    await warnOfAge(ctx, saved.savedAt);
    if (!terminal.quiet) terminal.err(`Saved on ${savedWhen(saved.savedAt, ctx.clock.now())}; no host was asked.\n`);
    return chosen;
  }
  const host = await tools.host(options);
  if (options.save === undefined) return readInventory(host, options.vm);
  const [{ writeInventoryFile }, { savedInventory }] = await Promise.all([
    import('./inventory-file.js'),
    import('../migration/saved-inventory.js'),
  ]);
  const whole = await host.inventory();
  const by = { program: app.version, now: new Date(ctx.clock.now()), source: sourceTarget(app, options) };
  await writeInventoryFile(app.cwd, options.save, savedInventory(whole, by));
  if (!terminal.quiet) {
    const count = whole.vms.length;
    terminal.err(`Saved ${options.save}: ${count} VM${count === 1 ? '' : 's'}. Nothing was changed.\n`);
  }
  return chosenOf(judgedInventory(whole), options.vm);
}
