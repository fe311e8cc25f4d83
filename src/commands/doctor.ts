import { z } from 'zod';
import type { Command } from 'commander';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addFormat, formatSchema, read } from './options/parse.js';
import { addSourceOptions, sourceSchema } from './options/source.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...sourceSchema.shape,
  ...targetSchema.shape,
});

export function register(program: Command, app: App): void {
  const command = program
    .command('doctor')
    .summary('what works from here: converter, host, cloud')
    .description(
      'Checks this machine (Node, qemu-img, free space), the host (version, licence, SSH, shell time-outs, read rate) and the ' +
        'cloud (login, services, quota), and says what is missing. Changes nothing. Exit code 1 when something does not work.',
    );
  addFormat(command);
  addSourceOptions(command);
  addTargetOptions(command);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry doctor
  $ stackferry doctor --esxi esx1 --os-cloud scs
`,
  );
  command.action(() => act(command, app));
}

async function act(command: Command, app: App): Promise<void> {
  const options = read(command, schema);
  const [{ withTools }, checks, { render }] = await Promise.all([
    import('./tools.js'),
    import('./doctor-checks.js'),
    import('../ui/index.js'),
  ]);
  await withTools(app, options, async (tools) => {
    const results = [
      ...(await checks.checkConverter(tools)),
      ...(await checks.checkHost(tools, options)),
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
