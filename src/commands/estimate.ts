import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError, formatBytes, formatRate, formatSeconds, parseDuration, parseRate } from '../core/index.js';
import type { Estimate, EstimateRequest, Figure, VmEstimate } from '../migration/estimate/index.js';
import type { PlanDocument } from '../migration/plan/document/index.js';
import type { Column } from '../ui/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { readSavedHost, warnOfAge } from './options/inventory-file.js';
import { addFormat, collect, formatSchema, read } from './options/parse.js';
import { readPlanFile } from './options/plan-file.js';
import { readSettings } from './options/run.js';
import { addSourceOptions, addressOptions, sourceSchema, sourceTarget } from './options/source.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  vm: z.array(z.string()).optional(),
  rate: z.string().optional(),
  uploadRate: z.string().optional(),
  budget: z.string().optional(),
  from: z.string().optional(),
  osCloud: z.string().optional(),
  imageFormat: z.enum(['auto', 'qcow2', 'raw']).default('auto'),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('estimate')
    .summary('bytes, time, downtime and disk space of a migration')
    .description(
      'Estimates what moving VMs would take, one after another. The rate is measured on the host unless it is given; for ' +
        'the rest it uses what earlier runs have seen, or says that it assumes. Changes nothing, and does not ask the cloud.',
    )
    .argument('[plan]', 'the VMs of this plan file')
    .option('--vm <selector>', 'only these (repeatable): a name, a glob, id:N or uuid:U; all if unset', collect)
    .option('--rate <rate>', 'how fast the host is read: 80MiB/s, 1Gbit/s')
    .option('--upload-rate <rate>', 'how fast images are sent to the cloud')
    .option('--budget <time>', 'which VMs fit in a window of this length: 30m, 1h30m')
    .option('--from <file>', 'of a saved inventory (inventory --save; - for stdin); the host is not asked')
    .addOption(
      new Option('--image-format <format>', 'what is uploaded, as for migrate').choices(['auto', 'qcow2', 'raw']),
    )
    .option('--os-cloud <name>', 'take the rates of earlier runs into this cloud only');
  addFormat(command);
  addSourceOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry estimate --esxi esx1
  $ stackferry estimate --vm 'web*' --rate 80MiB/s --budget 30m
  $ stackferry estimate --from esx1.json --rate 1Gbit/s
  $ stackferry estimate plan.yaml -f json
`,
  );
  command.action((plan: string | undefined) => act(command, app, plan));
}

async function act(command: Command, app: App, planPath: string | undefined): Promise<void> {
  const options = read(command, schema);
  if (planPath !== undefined && options.vm !== undefined) {
    throw new UsageError('A plan names its VMs; --vm names others.', 'Give one of the two.');
  }
  const copy = options.rate === undefined ? undefined : parseRate(options.rate, '--rate');
  const upload = options.uploadRate === undefined ? undefined : parseRate(options.uploadRate, '--upload-rate');
  const budgetSeconds = options.budget === undefined ? null : parseDuration(options.budget, '--budget');
  const plan = planPath === undefined ? undefined : await readPlanFile(app, planPath);
  const [{ withTools }, { estimateVms }, { savedWhen }, { render }] = await Promise.all([
    import('./tools.js'),
    import('../migration/estimate/index.js'),
    import('../migration/saved-age.js'),
    import('../ui/index.js'),
  ]);
  const source = plan ? { ...addressOptions(plan.source), ...options } : options;
  const saved = options.from === undefined ? undefined : await readSavedHost(app, options.from, options, plan?.source);
  await withTools(app, options, async ({ terminal, ctx, session }) => {
    if (saved) await warnOfAge(ctx, saved.savedAt);
    const made = await estimateVms(session('estimate', readSettings({}), source), {
      selectors: plan?.vms.map(({ vm }) => `id:${vm.id}`) ?? options.vm ?? ['*'],
      host: (saved?.address ?? sourceTarget(app, source)).host,
      ...(saved === undefined ? {} : { inventory: saved.inventory }),
      cloud: options.osCloud ?? null,
      given: { ...(copy === undefined ? {} : { copy }), ...(upload === undefined ? {} : { upload }) },
      budgetSeconds,
      options: { imageFormat: options.imageFormat },
      ...(plan === undefined ? {} : decided(plan)),
    });
    const shown = options.format === 'csv' ? csvColumns : columns(budgetSeconds !== null);
    const all = { ...made, inventory_saved_at: saved?.savedAt ?? null };
    terminal.out(await render(options.format, all, shown, made.vms, terminal.tableWidth));
    if (options.format !== 'table') return;
    terminal.err(summary(made));
    if (saved) {
      terminal.err(`Of an inventory saved on ${savedWhen(saved.savedAt, ctx.clock.now())}; the host was not asked.\n`);
    }
  });
}

/** What a plan says of its VMs and an estimate counts with. */
function decided(plan: PlanDocument): Pick<EstimateRequest, 'accept' | 'skipDisks'> {
  return { accept: plan.accept, skipDisks: new Map(plan.vms.map((item) => [item.vm.id, item.skip_disks])) };
}

/** For programs and spreadsheets: the fields of the JSON, in bytes and seconds. */
const csvColumns: Column<VmEstimate>[] = [
  { name: 'vm', value: (row) => row.vm },
  { name: 'id', value: (row) => row.id },
  { name: 'power_state', value: (row) => row.power_state },
  { name: 'copy_bytes', value: (row) => row.copy_bytes },
  { name: 'upload_bytes', value: (row) => row.upload_bytes },
  { name: 'staging_bytes', value: (row) => row.staging_bytes },
  { name: 'volume_gib', value: (row) => row.volume_gib },
  { name: 'downtime_seconds', value: (row) => row.downtime_seconds },
  { name: 'blocked', value: (row) => row.blocked.join(' ') },
  { name: 'fits', value: (row) => row.fits },
];

function columns(budget: boolean): Column<VmEstimate>[] {
  return [
    { name: 'vm', value: (row) => row.vm, fit: true },
    { name: 'power', value: (row) => row.power_state },
    { name: 'copy', value: (row) => formatBytes(row.copy_bytes), align: 'right' },
    { name: 'upload', value: (row) => formatBytes(row.upload_bytes), align: 'right' },
    { name: 'staging', value: (row) => formatBytes(row.staging_bytes), align: 'right' },
    { name: 'volumes', value: (row) => `${row.volume_gib} GiB`, align: 'right' },
    { name: 'downtime', value: (row) => formatSeconds(row.downtime_seconds), align: 'right' },
    budget
      ? { name: 'fits', value: (row) => (row.blocked.length > 0 ? `blocked: ${row.blocked.join(' ')}` : row.fits) }
      : { name: 'blocked', value: (row) => (row.blocked.length > 0 ? row.blocked.join(' ') : null) },
  ];
}

/** The totals, and what the figures rest on. */
function summary({ rates, totals, budget }: Estimate): string {
  const rate = (figure: Figure) => `${formatRate(figure.value)} (${figure.source})`;
  const lines = [
    `${totals.vms} VM(s), one after another: ${formatBytes(totals.copy_bytes)} to copy, ${formatBytes(totals.upload_bytes)} to upload, about ${formatSeconds(totals.seconds)}; ${formatBytes(totals.staging_bytes)} free space here.`,
    `Rates: copy ${rate(rates.copy)}, convert ${rate(rates.convert)}, upload ${rate(rates.upload)}; volumes ${rates.volumePerGib.value.toFixed(1)} s a GiB (${rates.volumePerGib.source}), ${formatSeconds(rates.fixed.value)} for the rest (${rates.fixed.source}).`,
  ];
  if (totals.blocked > 0) {
    lines.push(
      `${totals.blocked} VM(s) cannot move as they are, and are not counted; what to do: stackferry check --vm NAME`,
    );
  }
  if (budget) {
    const list = budget.fit_together.length === 0 ? 'none' : budget.fit_together.join(', ');
    lines.push(
      `In ${formatSeconds(budget.seconds)}: ${budget.fit_alone.length} of ${totals.vms} VM(s) fit alone; one after another, shortest first: ${list}.`,
    );
  }
  return `${lines.join('\n')}\n`;
}
