import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addPowerOptions, addReadingOptions, readSettings, settingsSchema } from './options/run.js';
import { addRunningOptions, readRunning, runningSchema } from './options/running.js';
import { addSourceOptions, sourceSchema, sourceTarget } from './options/source.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...sourceSchema.shape,
  ...settingsSchema.shape,
  ...runningSchema.shape,
  vm: z.string().optional(),
  disk: z.array(z.string()).optional(),
  output: z.string().optional(),
  diskFormat: z.enum(['vmdk', 'raw', 'qcow2']).default('vmdk'),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('export')
    .summary('copy the disks of a VM to this machine, proved')
    .description(
      'Copies the descriptor and extents of all disks of a powered-off VM (of a running one with --while-running), whole snapshot chains included; what the ' +
        "host's block map calls empty becomes a hole, unread (--trust-map). Complete only " +
        'with exit status 0, the exact byte count and the content hash of what was read. Half-done copies are gone on with. ' +
        'With --disk-format raw or qcow2 each disk becomes an image in one pass: only what holds data is read, nothing ' +
        'is copied in between (but for --compress), and what qemu-img reads of the image must be what was read.',
    )
    .option('--vm <selector>', 'the VM: its name, id:N or uuid:U')
    .option('--disk <label>', 'only this disk (repeatable): scsi0:0', collect)
    .option('-o, --output <dir>', "where the files go; the run's own folder if unset")
    .addOption(
      new Option('--disk-format <format>', 'vmdk: the files as they lie; raw or qcow2: an image, written as it is read')
        .choices(['vmdk', 'raw', 'qcow2'])
        .default('vmdk'),
    )
    .option('--compress', 'with --disk-format qcow2: compress')
    .option('--sha256', 'also give the SHA-256 of the whole content (reads it once more)');
  addFormat(command);
  addDryRun(command);
  addSourceOptions(command);
  addReadingOptions(command);
  addPowerOptions(command);
  addRunningOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry export --vm web01 --esxi esx1 --output ./web01
  $ stackferry export --vm web01 --disk scsi0:1 --disk-format qcow2 -o /srv/disks -f json
  $ stackferry export --vm db01 --while-running --quiesce --disk-format qcow2 -o /srv/db01
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.vm === undefined)
    throw new UsageError('No VM is named.', 'Use --vm NAME; list them with: stackferry inventory');
  if (options.compress === true && options.diskFormat !== 'qcow2') {
    throw new UsageError('Only a qcow2 can be compressed.', 'Add --disk-format qcow2.');
  }
  const selector = options.vm;
  const running = readRunning(options);
  const [{ withTools }, { printFiles, exportedFiles, convertedFiles }, { exportVm }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/phases.js'),
  ]);
  await withTools(app, options, async ({ terminal, session }) => {
    const base = session('export', readSettings(options), options);
    const state = await exportVm(base, {
      source: {
        selector,
        address: sourceTarget(app, options),
        ...(options.disk === undefined ? {} : { onlyDisks: options.disk }),
        ...(options.output === undefined ? {} : { outputDir: resolve(app.cwd, options.output) }),
      },
      convertTo: options.diskFormat === 'vmdk' ? null : options.diskFormat,
      running,
    });
    if (await endDry(terminal, options.format, base)) return;
    const disks = options.diskFormat === 'vmdk' ? exportedFiles(state) : convertedFiles(state);
    await printFiles((text) => terminal.out(text), options.format, {
      run: state.run,
      vm: state.vm?.name ?? null,
      disks,
    });
  });
}
