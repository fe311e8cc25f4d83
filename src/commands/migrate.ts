import { resolve } from 'node:path';
import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError, formatSeconds, quoteForHint } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addMappingOptions, mappingSchema, readMapping } from './options/mapping.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { readPlanFile } from './options/plan-file.js';
import { addPowerOptions, addReadingOptions, addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addSourceOptions, addressOptions, sourceSchema, sourceTarget } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...mappingSchema.shape,
  ...settingsSchema.shape,
  vm: z.array(z.string()).optional(),
  skipDisk: z.array(z.string()).optional(),
  output: z.string().optional(),
  resume: z.boolean().default(false),
  run: z.string().optional(),
  accept: z.array(z.string()).optional(),
  again: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('migrate')
    .summary('move VMs: copy, image, volumes, ports, server')
    .description(
      'Moves a powered-off VM (or those of a plan, one after another) to OpenStack: copies and proves its disks, makes images and volumes of them, ports for ' +
        'its NICs and a server that boots. The source is only read and never deleted. Stopped at any moment, the same ' +
        'command goes on where it was.',
    )
    .argument('[plan]', 'a plan file: it decides what goes where')
    .option('--vm <selector>', 'the VM: its name, id:N or uuid:U; with a plan (repeatable): only these', collect)
    .option('--skip-disk <label>', 'leave a disk behind on purpose (repeatable)', collect)
    .option('--output <dir>', 'stage the disks here, as files that stay; otherwise nothing is written to this machine')
    .option('--resume', 'go on with the unfinished run of the VM (or of --run); never begins one')
    .option('--run <id>', 'with --resume: the run to go on with')
    .option(
      '--accept <code[:subject]>',
      'take a finding of check knowingly (repeatable; beside those of a plan); the run keeps it',
      collect,
    )
    .option('--again', 'make another server though an earlier run has made one of this VM')
    .option('--dry-run', 'resolve everything and print what would be done; changes nothing');
  addFormat(command);
  addSourceOptions(command);
  addTargetOptions(command);
  addMappingOptions(command);
  addReadingOptions(command);
  addPowerOptions(command);
  addTimeoutOptions(command, ['image', 'volume', 'server', 'console']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry migrate --vm web01 --esxi esx1 --os-cloud scs --network 'VM Network=prod' --security-group web
  $ stackferry migrate --vm db01 --power-off --timeout-shutdown 600 --network '*=prod' --flavor SCS-4V-16
  $ stackferry migrate --vm web01 --nic ethernet0=prod,ip=10.0.0.5 --wait-for tcp:22 --yes -f json
  $ stackferry migrate plan.yaml --yes
  $ stackferry migrate --resume --vm web01
`,
  );
  command.action((plan: string | undefined) => act(command, app, plan));
}

async function act(command: Command, app: App, planPath: string | undefined): Promise<void> {
  const { vm: selectors = [], ...rest } = read(command, schema);
  if (planPath !== undefined) {
    await actPlan(command, app, rest, planPath, selectors);
    return;
  }
  if (selectors.length > 1) {
    throw new UsageError(
      'Several VMs are named, and this moves one.',
      `Plan them together: stackferry plan --vm ${selectors.map(quoteForHint).join(' --vm ')} -o plan.yaml; then: stackferry migrate plan.yaml`,
    );
  }
  const options = { ...rest, ...(selectors[0] === undefined ? {} : { vm: selectors[0] }) };
  if (options.vm === undefined && !options.resume) {
    throw new UsageError('No VM is named.', 'Use --vm NAME; list them with: stackferry inventory');
  }
  if (options.run !== undefined && !options.resume) throw new UsageError('--run goes with --resume.');
  const mapping = await readMapping(options, (name) => command.getOptionValueSource(name) === 'cli');
  const [{ withTools }, { printResult }, migration, { runToResume }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/migrate.js'),
    import('../migration/find-run.js'),
  ]);
  await withTools(app, options, async ({ terminal, ctx, store, session }) => {
    const resume = options.resume ? await runToResume(store, options) : undefined;
    const known = resume?.address;
    const base = session('migrate', readSettings(options), {
      ...(known === undefined ? {} : addressOptions(known)),
      ...options,
    });
    const request = {
      source: {
        selector: options.vm ?? '',
        address: resume?.address ?? sourceTarget(app, options),
        ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
        ...(options.output === undefined ? {} : { outputDir: resolve(app.cwd, options.output) }),
      },
      options: mapping,
      confirm: terminal.interactive && !options.yes,
      again: options.again,
      ...(options.accept === undefined ? {} : { accept: options.accept }),
      ...(resume === undefined ? {} : { resume: resume.run }),
    };
    if (options.dryRun) {
      const { dryRun } = await import('../migration/dry-run.js');
      const { printPlan } = await import('./plan-text.js');
      const plan = await dryRun(base, request);
      await printPlan((text) => terminal.out(text), options.format, plan, terminal.tableWidth);
      if (plan.blocked === null) return;
      const { renderError } = await import('../ui/index.js');
      terminal.err(renderError(terminal, plan.blocked));
      app.exitCode(plan.blocked.exitCode);
      return;
    }
    const start = ctx.clock.now();
    const result = await migration.migrate(base, request);
    if (!terminal.quiet) {
      const seconds = formatSeconds((ctx.clock.now() - start) / 1000);
      if (result.vms.some((vm) => vm.server_id === null)) {
        terminal.err(`No server was made (--no-start). Make and start it: stackferry server --run ${result.run}\n`);
      }
      terminal.err(
        `Done in ${seconds}. Undo: stackferry rollback ${result.run}   The same by hand: stackferry guide --run ${result.run}\n`,
      );
    }
    await printResult((text) => terminal.out(text), options.format, result);
  });
}

/** Migrates the VMs of a plan file. */
async function actPlan(
  command: Command,
  app: App,
  options: Omit<z.infer<typeof schema>, 'vm'>,
  path: string,
  only: readonly string[],
): Promise<void> {
  const mapping = await readMapping(options, (name) => command.getOptionValueSource(name) === 'cli');
  const [given] = Object.keys(mapping);
  const other = given ?? (options.skipDisk ? 'skipDisk' : undefined) ?? (options.resume ? 'resume' : undefined);
  if (other !== undefined) {
    const flag = `--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(
      `The plan decides what goes where, so ${flag} does not go together with it.`,
      'Edit the plan instead; the same command goes on with what is not done.',
    );
  }
  const plan = await readPlanFile(app, path);
  const [{ withTools }, { dryRunEach, tellEnds }, { migratePlan, requestsOf }] = await Promise.all([
    import('./tools.js'),
    import('./several-vms.js'),
    import('../migration/migrate-plan.js'),
  ]);
  await withTools(app, options, async ({ terminal, ctx, session }) => {
    const source = { ...addressOptions(plan.source), ...options };
    const base = session('migrate', readSettings(options), source);
    const request = {
      plan,
      address: sourceTarget(app, source),
      only,
      accept: options.accept ?? [],
      confirm: terminal.interactive && !options.yes,
      again: options.again,
      ...(options.output === undefined ? {} : { outputDir: resolve(app.cwd, options.output) }),
    };
    const output = { app, terminal, format: options.format };
    if (options.dryRun) {
      await dryRunEach(output, base, requestsOf(request));
      return;
    }
    const start = ctx.clock.now();
    const ends = await migratePlan(base, request);
    await tellEnds(output, ends, ctx.clock.now() - start);
  });
}
