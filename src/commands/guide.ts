import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { GuideOrigin } from '../migration/guide/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { readSavedHost, warnOfAge } from './options/inventory-file.js';
import { addMappingOptions, mappingSchema, readMapping } from './options/mapping.js';
import { collect, read } from './options/parse.js';
import { readPlanFile, readRulesFile } from './options/plan-file.js';
import { readSettings } from './options/run.js';
import { addSourceOptions, addressOptions, sourceSchema, sourceTarget } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...mappingSchema.shape,
  vm: z.string().optional(),
  run: z.string().optional(),
  skipDisk: z.array(z.string()).optional(),
  rules: z.string().optional(),
  from: z.string().optional(),
  format: z.enum(['md', 'sh']).default('md'),
});
type Options = z.infer<typeof schema>;

export function register(program: Command, app: App): void {
  const command = program
    .command('guide')
    .summary('the migration of one VM by hand, every line ready to paste')
    .description(
      'Prints the step-by-step guide for one very VM: the ssh, qemu-img and openstack commands with its real names, sizes, ' +
        'flavor and networks, what to check after each step and how to undo it; as a page, or as a script. It gives what ' +
        'migrate gives. Changes nothing on the host or in the cloud. Exit code 3 where a blocker stands: then its steps cannot work.',
    )
    .argument('[plan]', 'take the choices of this plan file')
    .option('--vm <selector>', 'the VM: its name, id:N or uuid:U')
    .option('--run <id>', 'what this run did, by hand; reads its journal only')
    .option('--skip-disk <label>', 'leave a disk behind on purpose (repeatable)', collect)
    .option('--rules <file>', 'mapping rules (YAML), as for plan')
    .option('--from <file>', 'of a saved inventory (inventory --save; - for stdin); the host is not asked')
    .addOption(
      new Option('-f, --format <format>', 'a page (Markdown) or a script for sh').choices(['md', 'sh']).default('md'),
    );
  addSourceOptions(command);
  addTargetOptions(command);
  addMappingOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry guide --vm web01 --esxi esx1 --os-cloud scs --network 'VM Network=prod' > web01.md
  $ stackferry guide plan.yaml --vm web01 -f sh > web01.sh
  $ stackferry guide --vm web01 --from esx1.json --network '*=prod' > web01.md
  $ stackferry guide --vm db01 --esxi esx1 --os-cloud scs --network '*=prod' --via cinder -f sh > db01.sh
  $ stackferry guide --run r7k2
`,
  );
  command.action((plan: string | undefined) => act(command, app, plan));
}

async function act(command: Command, app: App, planPath: string | undefined): Promise<void> {
  const options = read(command, schema);
  const mapping = await readMapping(options, (name) => command.getOptionValueSource(name) === 'cli');
  const decided = Object.keys(mapping).length > 0 || options.skipDisk !== undefined || options.rules !== undefined;
  if (options.run !== undefined && (planPath !== undefined || options.vm !== undefined)) {
    throw new UsageError('A run has its VM and its plan.', 'Give --run alone, or leave it out.');
  }
  if (options.run === undefined && planPath === undefined && options.vm === undefined) {
    throw new UsageError(
      'No VM is named.',
      'Use --vm NAME, a plan file, or --run ID; list VMs with: stackferry inventory',
    );
  }
  if (decided && (options.run !== undefined || planPath !== undefined)) {
    throw new UsageError(
      `${planPath === undefined ? 'The run' : 'The plan'} says what goes where, so the options for that do not count.`,
      'Leave them out, or name the VM alone: --vm NAME',
    );
  }
  if (options.run !== undefined && options.from !== undefined) {
    throw new UsageError('The guide of a run is made of its journal, and of no inventory.', 'Leave out --from.');
  }
  const [{ withTools }, guide, text] = await Promise.all([
    import('./tools.js'),
    import('../migration/guide/index.js'),
    import('./guide-text.js'),
  ]);
  const plan = planPath === undefined ? undefined : await readPlanFile(app, planPath);
  const rules = options.rules === undefined ? undefined : await readRulesFile(app, options.rules);
  const source = plan ? { ...addressOptions(plan.source), ...options } : options;
  const saved = options.from === undefined ? undefined : await readSavedHost(app, options.from, options, plan?.source);
  const origin: GuideOrigin = {
    program: `stackferry ${app.version}`,
    variables: cloudVariables(app, options),
    ...(options.esxiFingerprint === undefined ? {} : { fingerprint: options.esxiFingerprint }),
    ...(saved === undefined ? {} : { saved: { inventory: saved.inventory, at: saved.savedAt } }),
  };
  await withTools(app, options, async ({ terminal, ctx, session, store }) => {
    if (saved) await warnOfAge(ctx, saved.savedAt);
    const base = () => session('guide', readSettings({}), source);
    const input =
      options.run !== undefined
        ? guide.guideOfRun(await store.read(options.run), origin)
        : plan
          ? await guide.guideOfPlan(base(), plan, options.vm, origin)
          : await guide.guideOfVm(
              base(),
              {
                selectors: [options.vm ?? ''],
                address: saved?.address ?? sourceTarget(app, options),
                options: mapping,
                ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
                ...(rules === undefined ? {} : { rules }),
              },
              origin,
            );
    terminal.out(text.renderGuide(options.format, input));
    if (input.blockers.length === 0) {
      if (!terminal.quiet) terminal.err(text.guideHint(options.format));
      return;
    }
    for (const line of text.blockedLines(input)) terminal.err(line);
    app.exitCode(3);
  });
}

/** What was said of the cloud on this command line, as the client's variables; secrets are never said there. */
function cloudVariables(app: App, options: Options): [string, string][] {
  const said = { ...options, osCloud: options.osCloud ?? app.env['OS_CLOUD'] };
  return Object.keys(targetSchema.shape).flatMap((key): [string, string][] => {
    const value = said[key as keyof typeof said];
    if (typeof value !== 'string' || value === '') return [];
    return [[key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(), value]];
  });
}
