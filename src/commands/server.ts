import { z } from 'zod';
import type { Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addServerOptions, mappingSchema, readMapping } from './options/mapping.js';
import { addDryRun, dryRunSchema, endDry } from './options/dry-run.js';
import { addFormat, collect, formatSchema, read, wholeNumber } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addSourceOptions, sourceSchema } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...dryRunSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
  ...settingsSchema.shape,
  ...mappingSchema.shape,
  run: z.string().optional(),
  vm: z.string().optional(),
  partial: z.boolean().default(false),
  volume: z.array(z.string()).optional(),
  cpus: z.number().optional(),
  memory: z.number().optional(),
});

export function register(program: Command, app: App): void {
  const command = program
    .command('server')
    .summary('make ports and a server that boots from the volumes')
    .description(
      'Makes a port for each NIC and a Nova server that boots from the volumes of a run, or from --volume, all disks in ' +
        'order. Of a run, the source is seen to be off and unchanged first, so the host must be reachable.',
    )
    .option('--run <id>', 'go on with this run')
    .option('--vm <selector>', 'go on with the only unfinished run of this VM: its name, id:N or uuid:U')
    .option('--partial', 'leave behind on purpose the disks that export --disk left out')
    .option('--volume <id>', 'a volume that no run made (repeatable, the boot disk first)', collect)
    .option('--cpus <n>', 'with --volume: vCPUs the flavor must have, 1 if unset', wholeNumber(1))
    .option('--memory <mib>', 'with --volume: MiB the flavor must have, 1024 if unset', wholeNumber(1, 100_000_000))
    .option('--name <name>', "the server's name");
  addFormat(command);
  addDryRun(command);
  addSourceOptions(command);
  addTargetOptions(command);
  command.optionsGroup('Mapping:');
  addServerOptions(command);
  addTimeoutOptions(command, ['server', 'console']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry server --run r7k2m9qx --network 'VM Network=prod' --security-group web
  $ stackferry server --volume 4c… --volume 9e… --name web01 --cpus 2 --memory 4096 --nic ethernet0=prod
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  if (options.volume !== undefined && (options.run !== undefined || options.vm !== undefined)) {
    throw new UsageError('Give either --volume, or a run (--run, --vm).');
  }
  if (options.volume === undefined && (options.cpus !== undefined || options.memory !== undefined)) {
    throw new UsageError('--cpus and --memory go with --volume.', 'Choose another flavor with --flavor.');
  }
  if (options.volume !== undefined && options.partial) throw new UsageError('--partial goes with a run (--run, --vm).');
  const mapping = await readMapping(options, (name) => command.getOptionValueSource(name) === 'cli');
  const [{ withTools }, { printResult }, phases, { findRun }, { runResult }] = await Promise.all([
    import('./tools.js'),
    import('./results.js'),
    import('../migration/phases.js'),
    import('../migration/find-run.js'),
    import('../migration/result.js'),
  ]);
  await withTools(app, options, async ({ terminal, store, session }) => {
    let state;
    let base;
    if (options.volume !== undefined) {
      const { serverOfVolumes } = await import('../migration/standalone.js');
      base = session('server', readSettings(options), options);
      state = await serverOfVolumes(base, {
        volumeIds: options.volume,
        vcpus: options.cpus ?? 1,
        memoryMib: options.memory ?? 1024,
        options: mapping,
      });
    } else {
      const run = await findRun(store, options, 'server');
      const source = await phases.sourceOptionsOf(store, run);
      base = session('server', readSettings(options), { ...source, ...options });
      state = await phases.runPhase(base, run, {
        phase: 'server',
        options: { start: true, ...mapping },
        partial: options.partial,
      });
    }
    if (await endDry(terminal, options.format, base)) return;
    await printResult((text) => terminal.out(text), options.format, runResult(state));
  });
}
