import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { RunStore } from '../migration/state/store.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addImageOptions, mappingSchema, readMapping } from './options/mapping.js';
import { parseProperties } from './options/properties.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addPowerOptions, addReadingOptions, addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addSourceOptions, sourceSchema, sourceTarget } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  ...mappingSchema.pick({ imageFormat: true, name: true }).shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  partial: z.boolean().default(false),
  diskFormat: z.enum(['raw', 'qcow2', 'vmdk']).optional(),
  property: z.array(z.string()).optional(),
  skipDisk: z.array(z.string()).optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('upload')
    .summary('upload disks as Glance images, proved')
    .description(
      'Makes Glance images of disks, with the properties that Nova and SCS clouds read: of a VM, straight from the host in ' +
        "one pass and without a file in between; of a run's converted disks; of files. Glance's own hash is compared with " +
        'what was sent. `volume` and `server` go on with the run.',
    )
    .argument('[files...]', "image files, the boot disk first; otherwise the run's disks")
    .option('--run <id>', 'go on with this run')
    .option(
      '--vm <selector>',
      'this VM: its name, id:N or uuid:U. Goes on with its only unfinished run, or begins one straight from the host',
    )
    .option('--skip-disk <label>', 'where a run is begun: leave a disk behind on purpose (repeatable)', collect)
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
  addSourceOptions(command);
  addTargetOptions(command);
  addImageOptions(command);
  addReadingOptions(command);
  addPowerOptions(command);
  addTimeoutOptions(command, ['image']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry upload --vm web01 --esxi esx1 --os-cloud scs
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
    let base = session('upload', readSettings(options), options);
    let state;
    if (files.length > 0) {
      const { uploadFiles } = await import('../migration/standalone.js');
      state = await uploadFiles(base, {
        files: files.map((file) => resolve(app.cwd, file)),
        ...(options.diskFormat === undefined ? {} : { diskFormat: options.diskFormat }),
        ...(mapping.name === undefined ? {} : { name: mapping.name }),
        properties,
      });
    } else if (await isNew(app, store, options)) {
      const { uploadVm } = await import('../migration/upload-vm.js');
      const source = {
        selector: options.vm ?? '',
        address: sourceTarget(app, options),
        ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
      };
      state = await uploadVm(base, { source, options: mapping });
    } else {
      if (options.skipDisk !== undefined) {
        throw new UsageError('--skip-disk goes with a VM whose run is begun here.', 'The run has its disks already.');
      }
      const run = await findRun(store, options, 'upload');
      const known = await phases.sourceOptionsOf(store, run);
      base = session('upload', readSettings(options), { ...known, ...options });
      state = await phases.runPhase(base, run, { phase: 'upload', options: mapping, partial: options.partial });
    }
    if (await endDry(terminal, options.format, base)) return;
    const result = runResult(state);
    if (options.format === 'table') for (const id of result.vms[0]?.image_ids ?? []) terminal.out(`image    ${id}\n`);
    await printResult((text) => terminal.out(text), options.format, result, state);
  });
}

/** Whether `--vm` names a VM without a run to go on with, on a host that is named. */
async function isNew(app: App, store: RunStore, options: z.infer<typeof schema>): Promise<boolean> {
  if (options.vm === undefined || options.run !== undefined || !isHostNamed(app, options)) return false;
  const { hasOpenRun } = await import('../migration/upload-vm.js');
  return !(await hasOpenRun(store, options.vm));
}

function isHostNamed(app: App, options: z.infer<typeof schema>): boolean {
  try {
    return sourceTarget(app, options).host !== '';
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}
