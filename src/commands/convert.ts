import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, formatSchema, read } from './options/parse.js';
import { readSettings, settingsSchema } from './options/run.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...settingsSchema.shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  output: z.string().optional(),
  diskFormat: z.enum(['raw', 'qcow2']).optional(),
  sourceFormat: z.enum(['vmdk', 'raw', 'qcow2', 'vpc', 'vhdx', 'vdi']).optional(),
  force: z.boolean().default(false),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('convert')
    .summary('make a raw or qcow2 image of a disk, proved equal')
    .description(
      'Converts the disks of a run, or a file, with qemu-img. A VMDK descriptor is checked first: extents in its own ' +
        'folder, sizes that agree, no backing file from elsewhere. The result is compared with its source.',
    )
    .argument('[file]', "a VMDK descriptor or disk image; otherwise the run's exported disks")
    .option('--run <id>', 'go on with this run')
    .option('--vm <selector>', 'go on with the only unfinished run of this VM: its name, id:N or uuid:U')
    .option('-o, --output <dir>', 'where the image goes; beside its source if unset')
    .addOption(
      new Option('--disk-format <format>', 'format of the result; of a run, what --image-format auto gives').choices([
        'raw',
        'qcow2',
      ]),
    )
    .addOption(
      new Option('--source-format <format>', 'format of FILE, where its content does not tell (raw)').choices([
        'vmdk',
        'raw',
        'qcow2',
        'vpc',
        'vhdx',
        'vdi',
      ]),
    )
    .option('--compress', 'compress a qcow2')
    .option('--sha256', 'also give the SHA-256 of the file')
    .option('--force', 'convert again though the result is there and proved');
  addFormat(command);
  addDryRun(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry convert --run r7k2m9qx --disk-format qcow2
  $ stackferry convert './web01/scsi0-0/web01.vmdk' --disk-format raw -o /srv/images
`,
  );
  command.action((file: string | undefined) => act(command, app, file));
}

async function act(command: Command, app: App, file: string | undefined): Promise<void> {
  const options = read(command, schema);
  if (file !== undefined && (options.run !== undefined || options.vm !== undefined)) {
    throw new UsageError('Give either a file, or a run (--run, --vm).');
  }
  if (file === undefined && options.sourceFormat !== undefined) {
    throw new UsageError('--source-format goes with a file.', 'The disks of a run are VMDKs.');
  }
  if (options.output === '-') {
    throw new UsageError(
      'qemu-img writes an image here and there, which stdout does not take (--output -).',
      'Convert into a folder; or stream a disk of a host: stackferry export --vm NAME --disk LABEL --disk-format raw --output -',
    );
  }
  const [{ withTools }, { printFiles, convertedFiles }, phases, { findRun }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/phases.js'),
    import('../migration/find-run.js'),
  ]);
  await withTools(app, options, async ({ terminal, ctx, store, session }) => {
    const out = (text: string) => terminal.out(text);
    if (file !== undefined) {
      const { convertFile, planConvertFile } = await import('../migration/convert-file.js');
      const request = {
        file: resolve(app.cwd, file),
        ...(options.output === undefined ? {} : { outputDir: resolve(app.cwd, options.output) }),
        format: options.diskFormat ?? 'qcow2',
        ...(options.sourceFormat === undefined ? {} : { sourceFormat: options.sourceFormat }),
        compress: options.compress ?? false,
        sha256: options.sha256 ?? false,
        force: options.force,
      };
      if (options.dryRun) {
        await endDry(terminal, options.format, { dry: await planConvertFile(ctx, request) });
        return;
      }
      const disk = await convertFile(ctx, request);
      await printFiles(out, options.format, { run: null, vm: null, disks: [disk] });
      return;
    }
    const run = await findRun(store, options, 'convert');
    const mapping = options.diskFormat === undefined ? {} : { imageFormat: options.diskFormat };
    const base = session('convert', readSettings(options), { dryRun: options.dryRun });
    const state = await phases.convertRun(base, run, {
      options: mapping,
      ...(options.output === undefined ? {} : { outputDir: resolve(app.cwd, options.output) }),
      again: options.force,
    });
    if (await endDry(terminal, options.format, base)) return;
    await printFiles(out, options.format, { run: state.run, vm: state.vm?.name ?? null, disks: convertedFiles(state) });
  });
}
