import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { Against, Check } from '../migration/verify/index.js';
import type { RunContext } from '../migration/steps/step.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { addReadingOptions, readSettings, settingsSchema } from './options/run.js';
import { addSourceOptions, sourceSchema } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';
import type { Tools } from './tools.js';

const FORMATS = ['vmdk', 'raw', 'qcow2', 'vpc', 'vhdx', 'vdi'] as const;

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  run: z.string().optional(),
  source: z.boolean().default(false),
  target: z.boolean().default(false),
  disk: z.array(z.string()).default([]),
  against: z.string().optional(),
  sourceFormat: z.enum(FORMATS).optional(),
  againstFormat: z.enum(FORMATS).optional(),
});
type Options = z.infer<typeof schema>;

export function register(program: Command, app: App): void {
  const command = program
    .command('verify')
    .summary("look at a run's disks, or at files, again: are they equal?")
    .description(
      'Reads the disks of a run once more, on the host or where they came to lie, and compares their content hash with that ' +
        'of the disk as it was read. Of files it tells the content hash. What differs is told with its first chunk. Reads only.',
    )
    .argument('[what...]', 'a run id or its beginning; or disk images on this machine (raw, qcow2, VMDK)')
    .option('--run <id>', 'the same as a run id as the argument')
    .option('--source', 'read the disks on the host again')
    .option('--target', 'read what the run made: files here, images in Glance, attached volumes; the default')
    .option('--disk <label>', 'only this disk of the run (repeatable)', collect)
    .option('--against <what>', 'of a file: compare it with another file, with sha256-4m:HEX, or with a disk of a run')
    .addOption(
      new Option('--source-format <format>', 'format of the files, where their content does not tell (raw)').choices(
        FORMATS,
      ),
    )
    .addOption(
      new Option('--against-format <format>', 'the same of the file of --against, a flat VMDK for one').choices(
        FORMATS,
      ),
    );
  addFormat(command);
  addSourceOptions(command);
  addReadingOptions(command);
  addTargetOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry verify r7k2m9qx --os-cloud scs
  $ stackferry verify r7k2m9qx --source --target --os-cloud scs
  $ stackferry verify web01/scsi0-0.qcow2 --against r7k2m9qx
  $ stackferry verify disk.raw --against copy.qcow2
  $ stackferry verify copy.qcow2 --against web01-flat.vmdk --against-format raw

Exit codes: 0 equal (or, of a file alone, read), 1 differs or failed, 3 of some disk nothing could be compared
`,
  );
  command.action((what: string[]) => act(command, app, what));
}

async function act(command: Command, app: App, words: readonly string[]): Promise<void> {
  const options = read(command, schema);
  const [{ withTools }, verify, { printChecks }] = await Promise.all([
    import('./tools.js'),
    import('../migration/verify/index.js'),
    import('./verify-text.js'),
  ]);
  await withTools(app, options, async (tools) => {
    const { terminal, ctx, store } = tools;
    const subject = await subjectOf(app, words, options, verify.isThere);
    let checks: Check[] = [];
    if (subject.kind === 'run') {
      const request = { source: options.source, target: options.target || !options.source, disks: options.disk };
      const run = await store.resolveId(subject.run);
      await inRun(tools, options, run, async (rc, lock) => {
        checks = await verify.verifyRun(rc, request, lock);
      });
    } else {
      const look = async (against: Against) => {
        const format = options.sourceFormat;
        checks = await verify.verifyFiles(ctx, subject.paths, { against, ...(format === undefined ? {} : { format }) });
      };
      const against = await againstOf(app, options, verify.isThere);
      if (against.kind !== 'run') await look(against);
      else {
        const label = options.disk[0] ?? null;
        await inRun(tools, options, await store.resolveId(against.run), (rc) => look({ kind: 'run', rc, label }));
      }
    }
    const verdict = verify.verdictOf(checks);
    if (verdict.exitCode !== 0) app.exitCode(verdict.exitCode);
    await printChecks(terminal, options.format, verdict.state, checks);
  });
}

/** Work that reads what a run knows; the run stays as it is. */
async function inRun(
  { session, store }: Tools,
  options: Options,
  run: string,
  work: (rc: RunContext, lock: string) => Promise<void>,
): Promise<void> {
  const [{ withRun }, { sourceOptionsOf }] = await Promise.all([
    import('../migration/session.js'),
    import('../migration/phases.js'),
  ]);
  const address = await sourceOptionsOf(store, run);
  // As for --dry-run: the run's state in memory, nothing opened or written.
  const base = session('verify', readSettings(options), { ...address, ...options, dryRun: true });
  await withRun(base, { resume: run }, async ({ rc, paths }) => {
    await work(rc, paths.lock);
    return 'ready';
  });
}

function withFileAgainst(): UsageError {
  return new UsageError('--against-format goes with a file as --against.', 'For the files themselves: --source-format');
}

type IsThere = (path: string) => Promise<boolean>;

/** What is meant by the arguments: one run, or files. */
async function subjectOf(
  app: App,
  words: readonly string[],
  options: Options,
  isThere: IsThere,
): Promise<{ kind: 'run'; run: string } | { kind: 'files'; paths: string[] }> {
  if (options.run !== undefined) {
    if (words.length > 0) throw new UsageError('Give either --run, or arguments.', 'Of a file: --against RUN.');
    return asRun(options.run, options);
  }
  const [first, ...more] = words;
  if (first === undefined)
    throw new UsageError('What is to be verified?', 'Give a run id (stackferry status) or a file.');
  const paths = words.map((word) => resolve(app.cwd, word));
  const there = await Promise.all(paths.map(isThere));
  const looksLikeRun = /^[A-Za-z0-9_-]+$/.test(first);
  if (more.length === 0 && looksLikeRun && !there[0]) return asRun(first, options);
  const missing = words[there.indexOf(false)];
  if (missing !== undefined) {
    throw new UsageError(
      `There is no file ${missing}.`,
      'Several arguments are files; one run at a time: stackferry verify RUN',
    );
  }
  if (options.source || options.target) {
    throw new UsageError('--source and --target go with a run.', 'Compare a file with: --against FILE|HASH|RUN');
  }
  return { kind: 'files', paths };
}

function asRun(run: string, options: Options): { kind: 'run'; run: string } {
  if (options.against !== undefined) {
    throw new UsageError('--against goes with a file.', 'A run is compared with what it read of the source.');
  }
  if (options.sourceFormat !== undefined) throw new UsageError('--source-format goes with a file.');
  if (options.againstFormat !== undefined) throw withFileAgainst();
  return { kind: 'run', run };
}

async function againstOf(
  app: App,
  options: Options,
  isThere: IsThere,
): Promise<Exclude<Against, { kind: 'run' }> | { kind: 'run'; run: string }> {
  const { against, againstFormat: format } = options;
  if (against === undefined) {
    if (options.disk.length > 0)
      throw new UsageError('--disk goes with a run.', 'Of a file: --against RUN --disk LABEL');
    if (format !== undefined) throw withFileAgainst();
    return { kind: 'nothing' };
  }
  if (options.disk.length > 1) throw new UsageError('A file is compared with one disk.', 'Give --disk once.');
  const path = resolve(app.cwd, against);
  const isHash = /^sha256-4m:[0-9a-f]{64}$/i.test(against);
  if (!isHash && (await isThere(path))) return { kind: 'file', path, ...(format === undefined ? {} : { format }) };
  if (format !== undefined) throw withFileAgainst();
  if (isHash) return { kind: 'hash', hash: against.toLowerCase() };
  if (/^[A-Za-z0-9_-]+$/.test(against)) return { kind: 'run', run: against };
  throw new UsageError(`--against ${against} is neither a file, nor sha256-4m:HEX, nor a run.`);
}
