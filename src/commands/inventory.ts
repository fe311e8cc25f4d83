import { z } from 'zod';
import type { Command } from 'commander';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addSourceOptions, sourceSchema } from './options/source.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  vm: z.array(z.string()).optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('inventory')
    .summary("list the host's VMs, their disks, NICs and findings")
    .description(
      'Reads everything that the host says of its VMs, with what stands in the way of moving them. Changes nothing.',
    )
    .option('--vm <selector>', 'only these (repeatable): a name, a glob, id:N or uuid:U', collect);
  addFormat(command);
  addSourceOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry inventory --esxi esx1
  $ stackferry inventory --vm 'web*' -f json
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  const [{ withTools }, { readInventory }, { printInventory, skippedLine }] = await Promise.all([
    import('./tools.js'),
    import('../migration/read-inventory.js'),
    import('./inventory-text.js'),
  ]);
  await withTools(app, options, async ({ terminal, host }) => {
    const inventory = await readInventory(await host(options), options.vm);
    await printInventory((text) => terminal.out(text), options.format, inventory, terminal.tableWidth);
    if (options.format === 'table') for (const item of inventory.skipped) terminal.err(skippedLine(item));
  });
}
