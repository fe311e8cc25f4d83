import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { StackferryError, UsageError, messageOf, systemCode, writeWhole } from '../core/index.js';
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
  vm: z.array(z.string()).optional(),
  exclude: z.array(z.string()).optional(),
  skipDisk: z.array(z.string()).optional(),
  accept: z.array(z.string()).optional(),
  from: z.string().optional(),
  output: z.string().optional(),
  force: z.boolean().default(false),
  schema: z.boolean().default(false),
  rules: z.string().optional(),
  rulesSchema: z.boolean().default(false),
  diff: z.string().optional(),
  format: z.enum(['table', 'json', 'yaml', 'csv']).optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('plan')
    .summary('write a plan: every choice resolved and explained')
    .description(
      'Resolves what would move where and writes it as YAML, each choice with its reason as a comment. Edit it, check ' +
        'it, run it with: stackferry migrate PLAN. Changes nothing on the host or in the cloud.',
    )
    .option('--vm <selector>', 'the VMs (repeatable): a name, a glob, id:N or uuid:U', collect)
    .option('--exclude <selector>', 'none of these (repeatable), whatever --vm fits', collect)
    .option('--skip-disk <label>', 'leave a disk behind on purpose (repeatable; with one VM)', collect)
    .option('--rules <file>', 'mapping rules (YAML): what goes where, said once for many VMs; see guides/mapping.md')
    .option('--accept <code[:subject]>', 'take a finding knowingly (repeatable); kept in the plan', collect)
    .option('--from <file>', 'plan from a saved inventory (inventory --save; - for stdin); the host is not asked')
    .option('-o, --output <file>', 'write it here, with its schema for editors beside it, and not on standard output')
    .option('--force', 'with -o: write over a file that is there')
    .option('--diff <plan>', 'tell what has changed on the host or in the cloud since the plan was made')
    .option('--schema', 'print the JSON Schema of plan files, for editors')
    .option('--rules-schema', 'print the JSON Schema of rule files')
    .addOption(
      new Option('-f, --format <format>', 'the plan as yaml (unset), json or table').choices([
        'table',
        'json',
        'yaml',
        'csv',
      ]),
    );
  addSourceOptions(command);
  addTargetOptions(command);
  addMappingOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry plan --vm web01 --vm 'db*' --esxi esx1 --os-cloud scs --network 'VM Network=prod' -o plan.yaml
  $ stackferry plan --vm '*' --exclude 'test*' --rules rules.yaml --name '{name}-os' -o plan.yaml
  $ stackferry plan --vm web01 -f table
  $ stackferry plan --vm web01 --from esx1.json --network '*=prod' -o plan.yaml
  $ stackferry plan --diff plan.yaml
  $ stackferry plan --schema > plan.schema.json
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.schema || options.rulesSchema) {
    const [{ planJsonSchema }, { rulesJsonSchema }, { renderJson }] = await Promise.all([
      import('../migration/plan/document/index.js'),
      import('../migration/plan/rules/index.js'),
      import('../ui/index.js'),
    ]);
    app.terminal(options).out(renderJson(options.schema ? planJsonSchema() : rulesJsonSchema()));
    return;
  }
  if (options.diff !== undefined) {
    if (options.from !== undefined) {
      throw new UsageError('--diff compares a plan with the host itself, and --from asks none.', 'Leave one out.');
    }
    await diff(app, options, options.diff);
    return;
  }
  const selectors = options.vm ?? [];
  if (selectors.length === 0) {
    throw new UsageError(
      'No VM is named.',
      "Use --vm NAME (repeatable), or --vm '*' for all; list them with: stackferry inventory",
    );
  }
  const mapping = await readMapping(options, (name) => command.getOptionValueSource(name) === 'cli');
  const [{ withTools }, { makePlan }, text, { SCHEMA_NAME, writeSchemaBeside }] = await Promise.all([
    import('./tools.js'),
    import('../migration/make-plan.js'),
    import('./plan-file-text.js'),
    import('./plan-schema-file.js'),
  ]);
  const rules = options.rules === undefined ? undefined : await readRulesFile(app, options.rules);
  const source =
    options.from === undefined
      ? { address: sourceTarget(app, options) }
      : await readSavedHost(app, options.from, options);
  await withTools(app, options, async ({ terminal, ctx, session }) => {
    if ('savedAt' in source) await warnOfAge(ctx, source.savedAt);
    const made = await makePlan(session('plan', readSettings({}), options), {
      selectors,
      ...(options.exclude === undefined ? {} : { exclude: options.exclude }),
      ...source,
      options: mapping,
      ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
      ...(rules === undefined ? {} : { rules }),
      ...(options.accept === undefined ? {} : { accept: options.accept }),
    });
    const format = options.format ?? 'yaml';
    const output = await text.renderPlan(format, made, app.version, `./${SCHEMA_NAME}`);
    const blockers = made.items.flatMap(({ vm, findings }) =>
      findings.filter(({ severity }) => severity === 'blocker').map((finding) => ({ vm, finding })),
    );
    let ofSchema: string | null = null;
    if (options.output === undefined) terminal.out(output);
    else {
      const path = resolve(app.cwd, options.output);
      await writeOut(path, output, options.force);
      if (format === 'yaml') ofSchema = await writeSchemaBeside(path);
    }
    if (terminal.quiet) return;
    for (const { vm, finding } of blockers) terminal.err(text.findingLine(vm.name, finding));
    const plan = options.output ?? 'PLAN';
    const left = made.leftOut.length === 0 ? '' : `, and ${made.leftOut.length} left out`;
    if (options.output !== undefined) {
      terminal.err(`Wrote ${plan}: ${made.items.length} VM(s)${left}. Nothing was changed.\n`);
    }
    if (ofSchema !== null) terminal.err(`${ofSchema}\n`);
    terminal.err(`Next: stackferry check ${plan}   then: stackferry migrate ${plan}\n`);
  });
}

async function diff(app: App, options: z.infer<typeof schema>, path: string): Promise<void> {
  const plan = await readPlanFile(app, path);
  const [{ withTools }, { diffPlan }, text] = await Promise.all([
    import('./tools.js'),
    import('../migration/diff-plan.js'),
    import('./plan-file-text.js'),
  ]);
  await withTools(app, options, async ({ terminal, session }) => {
    const source = { ...addressOptions(plan.source), ...options };
    const differences = await diffPlan(session('plan', readSettings({}), source), plan);
    terminal.out(await text.renderDiff(options.format ?? 'table', differences));
    const material = differences.filter((item) => item.material).length;
    if (differences.length === 0) terminal.err('Nothing has changed since the plan was made.\n');
    else if (material > 0) {
      // No error of its own: what is printed already is the answer.
      const of = `${material} of ${differences.length} change(s) are material: migrate refuses this plan.`;
      const outdated = differences.some((item) => item.material && item.side === 'host');
      const remedy = outdated
        ? 'Make it anew: stackferry plan --vm NAME -o FILE'
        : `Free what is missing, or edit the plan; what to do about each: stackferry check ${path}`;
      terminal.err(`${of} ${remedy}\n`);
      app.exitCode(3);
    }
  });
}

/** Writes a file as a whole or not at all; one that is there is only replaced if that was asked for. */
async function writeOut(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeWhole(path, text, { replace: force });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') {
      throw new UsageError(
        `${path} is there already; a plan may have been edited by hand.`,
        'Choose another name, or write over it with --force.',
      );
    }
    throw new StackferryError('output.unwritable', `${path} cannot be written: ${messageOf(error)}`, {
      cause: error,
      hint: 'Choose another folder with -o FILE.',
    });
  }
}
