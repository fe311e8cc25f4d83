import { join, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Command } from 'commander';
import { StackferryError, UsageError, messageOf, writeWhole } from '../core/index.js';
import type { CheckSubject } from '../migration/check.js';
import { stateDir, type App } from './app.js';
import { globalSchema } from './options/global.js';
import { readSavedHost } from './options/inventory-file.js';
import { addMappingOptions, mappingSchema, readMapping } from './options/mapping.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { readPlanFile, readRulesFile } from './options/plan-file.js';
import { readSettings } from './options/run.js';
import { addSourceOptions, addressOptions, sourceSchema, sourceTarget } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...mappingSchema.shape,
  vm: z.array(z.string()).optional(),
  exclude: z.array(z.string()).optional(),
  skipDisk: z.array(z.string()).optional(),
  rules: z.string().optional(),
  accept: z.array(z.string()).optional(),
  from: z.string().optional(),
  powerOff: z.boolean().default(false),
  forceOff: z.boolean().default(false),
  output: z.string().optional(),
});
type Options = z.infer<typeof schema>;

export function register(program: Command, app: App): void {
  const command = program
    .command('check')
    .summary('what stands in the way: source, host, cloud, this machine')
    .description(
      'Looks at everything that a migration depends on, for all VMs together: what is found on each VM, quota, flavors, ' +
        'networks, addresses, MACs, volume types, zones, security groups, SSH time-outs, qemu-img and free space. Changes ' +
        'nothing, and tells all of it at once. Exit code 3 where a blocker stands.',
    )
    .argument('[plan]', 'a plan file; without one the VMs of --vm, with the options that plan and migrate take')
    .option('--vm <selector>', 'the VMs (repeatable): a name, a glob, id:N or uuid:U; with a plan: only these', collect)
    .option('--exclude <selector>', 'none of these (repeatable), whatever --vm fits', collect)
    .option(
      '--accept <code[:subject]>',
      'take a warning or an overridable blocker knowingly (repeatable); with a plan it is kept there',
      collect,
    )
    .option('--skip-disk <label>', 'leave a disk behind on purpose (repeatable; with one VM)', collect)
    .option('--rules <file>', 'mapping rules (YAML), as for plan')
    .option('--from <file>', 'look at a saved inventory (inventory --save; - for stdin); the host is not asked')
    .option('--power-off', 'migrate will be called with --power-off: a running VM with Tools is no blocker')
    .option('--force-off', 'migrate will be called with --force-off: no running VM is a blocker')
    .option('--output <dir>', 'the folder where migrate will stage the disks; otherwise the state folder');
  addFormat(command);
  addSourceOptions(command);
  addTargetOptions(command);
  addMappingOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry check plan.yaml
  $ stackferry check plan.yaml --vm 'db*' --accept cloud.default_security_group
  $ stackferry check --vm '*' --esxi esx1 --os-cloud scs --network '*=prod' --security-group web
  $ stackferry check --vm '*' --from esx1.json --network '*=prod'
  $ stackferry check --vm db01 --power-off --network 'VM Network=prod' -f json
`,
  );
  command.action((plan?: string) => act(command, app, plan));
}

async function act(command: Command, app: App, planPath: string | undefined): Promise<void> {
  const options = read(command, schema);
  const accept = options.accept ?? [];
  const subject = await subjectOf(command, app, options, planPath);
  const [{ withTools }, { check }, { printCheck }] = await Promise.all([
    import('./tools.js'),
    import('../migration/check.js'),
    import('./check-text.js'),
  ]);
  const source = 'plan' in subject ? { ...addressOptions(subject.plan.source), ...options } : options;
  const from =
    options.from === undefined
      ? { address: sourceTarget(app, source) }
      : await readSavedHost(app, options.from, options, 'plan' in subject ? subject.plan.source : undefined);
  await withTools(app, options, async ({ terminal, session }) => {
    const result = await check(session('check', readSettings({}), source), {
      subject,
      ...from,
      accept,
      ...(options.exclude === undefined ? {} : { exclude: options.exclude }),
      powerOff: options.powerOff,
      forceOff: options.forceOff,
      stagingDir: options.output === undefined ? join(stateDir(app), 'runs') : resolve(app.cwd, options.output),
    });
    await printCheck(terminal, options.format, result);
    if (planPath !== undefined && accept.length > 0) {
      const added = await recordAccept(resolve(app.cwd, planPath), accept);
      if (!terminal.quiet) {
        const text = added
          ? `Wrote into ${planPath}: accept ${accept.join(', ')}.`
          : `${planPath} accepts that already.`;
        terminal.err(`${text}\n`);
      }
    } else if (!terminal.quiet) terminal.err('Nothing was changed.\n');
    if (result.state === 'blocked') app.exitCode(3);
    else if (!terminal.quiet) terminal.err(`Next: stackferry migrate ${planPath ?? '--vm NAME'}\n`);
  });
}

async function subjectOf(
  command: Command,
  app: App,
  options: Options,
  planPath: string | undefined,
): Promise<CheckSubject> {
  const said = (name: string) => command.getOptionValueSource(name) === 'cli';
  const mapping = await readMapping(options, said);
  if (planPath !== undefined) {
    const late = Object.keys(mapping).length > 0 || options.rules !== undefined || options.skipDisk !== undefined;
    if (late || options.via !== undefined) {
      throw new UsageError(
        'A plan says what goes where; the mapping options do not go together with it.',
        'Edit the plan, or check the VMs without one: stackferry check --vm NAME',
      );
    }
    const plan = await readPlanFile(app, planPath);
    return { plan, ...(options.vm === undefined ? {} : { selectors: options.vm }) };
  }
  if (options.vm === undefined) {
    throw new UsageError(
      'Neither a plan nor a VM is named.',
      "Give a plan file, or --vm NAME (repeatable), --vm '*' for all; list them with: stackferry inventory",
    );
  }
  const rules = options.rules === undefined ? undefined : await readRulesFile(app, options.rules);
  return {
    selectors: options.vm,
    options: mapping,
    ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
    ...(rules === undefined ? {} : { rules }),
  };
}

/** Adds acceptances to the plan file, as a whole or not at all. False where they are there already. */
async function recordAccept(path: string, accept: readonly string[]): Promise<boolean> {
  const { addAcceptances } = await import('../migration/plan/document/index.js');
  const text = addAcceptances(await readFile(path, 'utf8'), accept);
  if (text === null) return false;
  try {
    await writeWhole(path, text);
  } catch (error) {
    throw new StackferryError('output.unwritable', `${path} cannot be written: ${messageOf(error)}`, {
      cause: error,
      hint: `Add it by hand, under accept: ${accept.join(', ')}`,
    });
  }
  return true;
}
