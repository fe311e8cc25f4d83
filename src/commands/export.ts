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
        'is copied in between (but for --compress), and what qemu-img reads of the image must be what was read. ' +
        'With --output - the image of one disk goes to stdout: it is whole only with exit status 0, and cannot be gone on with.',
    )
    .option('--vm <selector>', 'the VM: its name, id:N or uuid:U')
    .option('--disk <label>', 'only this disk (repeatable): scsi0:0', collect)
    .option('-o, --output <dir>', "where the files go; the run's own folder if unset; - for one disk's image on stdout")
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
  $ set -o pipefail; stackferry export --vm web01 --disk scsi0:0 --disk-format raw -o - | zstd > web01.raw.zst
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
  if (options.output === '-') {
    await actStream(command, app, { ...options, vm: options.vm });
    return;
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

/** One disk as an image on stdout. All else goes to stderr, the content hash as well. */
async function actStream(command: Command, app: App, options: z.infer<typeof schema> & { vm: string }): Promise<void> {
  const { diskFormat: format } = options;
  if (format === 'vmdk') {
    throw new UsageError(
      'The files of a disk are several, and stdout is one stream (--output -).',
      'Add --disk-format raw or --disk-format qcow2; or give a folder: --output DIR.',
    );
  }
  refuseBesideStream(command, options);
  readRunning(options);
  const output = app.byteOutput();
  if (output.isTerminal && !options.dryRun) {
    throw new UsageError(
      'Stdout is a terminal, and an image is no text (--output -).',
      'Pipe it into a program, or give a folder: --output DIR.',
    );
  }
  const [{ withTools }, { streamText }, { exportToStream }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/export-stream.js'),
  ]);
  await withTools(app, options, async ({ terminal, session }) => {
    const base = session('export', readSettings(options), options);
    const source = {
      selector: options.vm,
      address: sourceTarget(app, options),
      ...(options.disk === undefined ? {} : { onlyDisks: options.disk }),
    };
    const written = await exportToStream(base, { source, format, sink: output });
    if (await endDry({ out: (text) => terminal.err(text) }, options.format, base)) return;
    if (written) terminal.err(streamText(written));
  });
}

/** What has no sense where stdout is an image. */
function refuseBesideStream(command: Command, options: z.infer<typeof schema>): void {
  const refuse = (option: string, why: string, hint: string): never => {
    throw new UsageError(`${option} does not go together with --output -: ${why}.`, hint);
  };
  if ((options.disk ?? []).length > 1) refuse('More than one --disk', 'stdout takes one', 'Name one: --disk LABEL');
  if (command.getOptionValueSource('format') === 'cli' && !options.dryRun) {
    refuse('--format', 'stdout is the image', 'Leave it out: the content hash is in the last line on stderr.');
  }
  if (options.compress === true) {
    refuse('--compress', 'a compressed qcow2 cannot be written front to back', 'Compress the stream: | zstd');
  }
  if (options.whileRunning) {
    refuse(
      '--while-running',
      'what it makes on the host is kept in a run, and this has none',
      'Give a folder: --output DIR',
    );
  }
  if (options.sha256 === true) {
    refuse('--sha256', 'it would read the image once more', 'Take it of the stream: | tee >(sha256sum >&2) | …');
  }
}
