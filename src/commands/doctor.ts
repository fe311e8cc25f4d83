import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addDryRun, dryRunSchema } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read, wholeNumber } from './options/parse.js';
import { addSourceOptions, sourceSchema } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...dryRunSchema.shape,
  cleanup: z.boolean().default(false),
  run: z.array(z.string()).optional(),
  timeoutSnapshot: z.number().optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('doctor')
    .summary('what works from here: converter, host, cloud')
    .description(
      'Checks this machine (Node, qemu-img, free space), the host (version, licence, SSH, shell time-outs, read rate) and the ' +
        'cloud (login, services, quota), and says what is missing; each way to the host (SSH, API, datastores over HTTPS, leases) is ' +
        'open or closed, with what would open it. Changes nothing. Exit code 1 when something does not work. ' +
        'With --cleanup it does another thing: it removes what copies of running VMs left on the host when they were killed.',
    )
    .option('--cleanup', 'remove snapshots and clones that copies of running VMs left on the host; asks first')
    .option(
      '--run <id>',
      'with --cleanup (repeatable): also what this run left, which this machine does not know',
      collect,
    )
    .option(
      '--timeout-snapshot <seconds>',
      'with --cleanup: how long removing a snapshot may take, 3600 if unset',
      wholeNumber(1),
    );
  addDryRun(command);
  addFormat(command);
  addSourceOptions(command);
  addTargetOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry doctor
  $ stackferry doctor --esxi esx1 --os-cloud scs
  $ stackferry doctor --cleanup --dry-run --esxi esx1
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.cleanup) {
    const [{ withTools }, { cleanup }] = await Promise.all([import('./tools.js'), import('./doctor-cleanup.js')]);
    await withTools(app, options, (tools) => cleanup(tools, options));
    return;
  }
  const lone = [
    ['--dry-run', options.dryRun],
    ['--run', options.run],
    ['--timeout-snapshot', options.timeoutSnapshot],
  ].find(([, value]) => value !== undefined && value !== false);
  if (lone) throw new UsageError(`${String(lone[0])} goes with --cleanup.`);
  const [{ withTools }, checks, { checkHost }, { render }] = await Promise.all([
    import('./tools.js'),
    import('./doctor-checks.js'),
    import('./doctor-doors.js'),
    import('../ui/index.js'),
  ]);
  await withTools(app, options, async (tools) => {
    const results = [
      ...(await checks.checkConverter(tools)),
      ...(await checkHost(tools, options)),
      ...(await checks.checkCloud(tools, options)),
    ];
    const bad = results.filter((check) => check.state === 'bad');
    const { terminal } = tools;
    terminal.out(
      await render(
        options.format,
        { checks: results, ok: bad.length === 0 },
        checks.columns,
        results,
        terminal.tableWidth,
      ),
    );
    if (options.format === 'table') {
      for (const check of results) if (check.hint !== null) terminal.err(`${check.area}: ${check.hint}\n`);
      terminal.err('Nothing was changed.\n');
    }
    if (bad.length > 0) app.exitCode(1);
  });
}
