import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addImageOptions, mappingSchema, readMapping } from './options/mapping.js';
import { parseProperties } from './options/properties.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  ...mappingSchema.pick({ imageFormat: true, name: true }).shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  partial: z.boolean().default(false),
  diskFormat: z.enum(['raw', 'qcow2', 'vmdk']).optional(),
  property: z.array(z.string()).optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('upload')
    .summary('upload disks as Glance images, proved')
    .description(
      "Uploads the converted disks of a run, or files, as Glance images with the properties that Nova and SCS clouds read. Glance's own hash is compared with what was sent.",
    )
    .argument('[files...]', "image files, the boot disk first; otherwise the run's disks")
    .option('--run <id>', 'go on with this run')
    .option('--vm <selector>', 'go on with the only unfinished run of this VM: its name, id:N or uuid:U')
    .option('--partial', 'leave behind on purpose the disks that export --disk left out')
    .addOption(
      new Option('--disk-format <format>', 'format of FILES, where their content does not tell').choices([
        'raw',
        'qcow2',
        'vmdk',
      ]),
    )
    .option('--property <key=value>', 'a further image property of FILES (repeatable)', collect);
  addFormat(command);
  addDryRun(command);
  addTargetOptions(command);
  addImageOptions(command);
  addTimeoutOptions(command, ['image']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry upload --run r7k2m9qx --os-cloud scs
  $ stackferry upload ./web01.qcow2 --os-cloud scs --property hw_firmware_type=uefi
`,
  );
  command.action((files: string[]) => act(command, app, files));
}

async function act(command: Command, app: App, files: string[]): Promise<void> {
  const options = read(command, schema);
  if (files.length > 0 && (options.run !== undefined || options.vm !== undefined)) {
    throw new UsageError('Give either files, or a run (--run, --vm).');
  }
  if (files.length === 0 && (options.diskFormat !== undefined || options.property !== undefined)) {
    throw new UsageError('--disk-format and --property go with files.', "A run's images get theirs from the VM.");
  }
  if (files.length > 0 && options.imageFormat !== undefined) {
    throw new UsageError(
      '--image-format goes with a run.',
      'Files are uploaded as they are; see stackferry convert --help',
    );
  }
  const properties = parseProperties(options.property ?? []);
  if (files.length > 0 && options.partial) throw new UsageError('--partial goes with a run (--run, --vm).');
  const mapping = await readMapping(options, () => false);
  const [{ withTools }, { printResult }, phases, { findRun }, { runResult }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/phases.js'),
    import('../migration/find-run.js'),
    import('../migration/result.js'),
  ]);
  await withTools(app, options, async ({ terminal, store, session }) => {
    const base = session('upload', readSettings(options), options);
    let state;
    if (files.length > 0) {
      const { uploadFiles } = await import('../migration/standalone.js');
      state = await uploadFiles(base, {
        files: files.map((file) => resolve(app.cwd, file)),
        ...(options.diskFormat === undefined ? {} : { diskFormat: options.diskFormat }),
        ...(mapping.name === undefined ? {} : { name: mapping.name }),
        properties,
      });
    } else {
      const run = await findRun(store, options, 'upload');
      state = await phases.runPhase(base, run, { phase: 'upload', options: mapping, partial: options.partial });
    }
    if (await endDry(terminal, options.format, base)) return;
    const result = runResult(state);
    if (options.format === 'table') for (const id of result.vms[0]?.image_ids ?? []) terminal.out(`image    ${id}\n`);
    await printResult((text) => terminal.out(text), options.format, result, state);
  });
}
