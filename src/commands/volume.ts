import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addVolumeOptions, mappingSchema, readMapping } from './options/mapping.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read, wholeNumber } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  ...mappingSchema.pick({ volumeType: true, volumeZone: true, name: true }).shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  partial: z.boolean().default(false),
  image: z.array(z.string()).optional(),
  size: z.number().optional(),
  bootable: z.boolean().default(true),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('volume')
    .summary('make Cinder volumes of the images')
    .description(
      'Makes a volume of each image of a run, or of --image, sized in whole GiB (rounded up). The image properties are carried; only the first volume is marked bootable.',
    )
    .option('--run <id>', 'go on with this run')
    .option('--vm <selector>', 'go on with the only unfinished run of this VM: its name, id:N or uuid:U')
    .option('--partial', 'leave behind on purpose the disks that export --disk left out')
    .option('--image <id>', 'an image that no run made (repeatable, the boot disk first)', collect)
    .option('--size <gib>', 'with --image: size of the volumes', wholeNumber(1))
    .option('--no-bootable', 'with --image: a data disk')
    .option('--name <name>', 'with --image: the name of the volume');
  addFormat(command);
  addDryRun(command);
  addTargetOptions(command);
  command.optionsGroup('Mapping:');
  addVolumeOptions(command);
  addTimeoutOptions(command, ['volume']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry volume --run r7k2m9qx --volume-type ssd
  $ stackferry volume --image 6f1d2f0e-… --size 40 --name web01-root
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.image !== undefined && (options.run !== undefined || options.vm !== undefined)) {
    throw new UsageError('Give either --image, or a run (--run, --vm).');
  }
  if (options.image === undefined && options.size !== undefined) throw new UsageError('--size goes with --image.');
  if (options.image === undefined && options.name !== undefined) {
    throw new UsageError('--name goes with --image.', 'Names of a run are set by upload --name.');
  }
  if (options.image === undefined && !options.bootable) throw new UsageError('--no-bootable goes with --image.');
  if (options.image !== undefined && options.partial) throw new UsageError('--partial goes with a run (--run, --vm).');
  const mapping = await readMapping(options, () => false);
  const [{ withTools }, { printResult }, phases, { findRun }, { runResult }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/phases.js'),
    import('../migration/find-run.js'),
    import('../migration/result.js'),
  ]);
  await withTools(app, options, async ({ terminal, store, session }) => {
    const base = session('volume', readSettings(options), options);
    let state;
    if (options.image !== undefined) {
      const { volumesOfImages } = await import('../migration/standalone.js');
      state = await volumesOfImages(base, {
        imageIds: options.image,
        ...(options.size === undefined ? {} : { sizeGib: options.size }),
        options: mapping,
        bootable: options.bootable,
      });
    } else {
      const run = await findRun(store, options, 'volume');
      state = await phases.runPhase(base, run, { phase: 'volume', options: mapping, partial: options.partial });
    }
    if (await endDry(terminal, options.format, base)) return;
    await printResult((text) => terminal.out(text), options.format, runResult(state), state);
  });
}
