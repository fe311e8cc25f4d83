import { Command, CommanderError } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { addGlobalOptions } from './options/global.js';
import { register as convert } from './convert.js';
import { register as doctor } from './doctor.js';
import { register as exportCommand } from './export.js';
import { register as inventory } from './inventory.js';
import { register as migrate } from './migrate.js';
import { register as rollback } from './rollback.js';
import { register as server } from './server.js';
import { register as status } from './status.js';
import { register as upload } from './upload.js';
import { register as volume } from './volume.js';

/** Every command, in the order in which a person needs them. A new command is a file and a line here. */
const commands = [doctor, inventory, migrate, exportCommand, convert, upload, volume, server, status, rollback];

/** What a bare `stackferry` prints. */
const WHAT_NEXT = `stackferry moves virtual machines from a standalone ESXi host to OpenStack.

  1. stackferry doctor --esxi HOST --os-cloud CLOUD       what works from here
  2. stackferry inventory --esxi HOST                     the VMs, and what stands in their way
  3. stackferry migrate --vm NAME --esxi HOST --os-cloud CLOUD --network 'PORT GROUP=NETWORK'

All commands: stackferry --help     One command: stackferry migrate --help
`;

/** Builds the program. Nothing of a command but its options is loaded before it is called. */
export function buildProgram(app: App): Command {
  const program = new Command('stackferry');
  const terminal = app.terminal({ quiet: false, verbose: false });
  program
    .description(
      'Moves virtual machines from a standalone VMware ESXi host to OpenStack: SSH on one side, the APIs on the other.',
    )
    .version(app.version, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: () => undefined })
    .showSuggestionAfterError(true)
    .helpCommand(false)
    .action(() => {
      if (program.args.length > 0)
        throw new UsageError(`There is no command "${program.args[0] ?? ''}".`, 'List them with: stackferry --help');
      terminal.out(WHAT_NEXT);
    })
    .allowExcessArguments(true);
  addGlobalOptions(program);
  program.addHelpText(
    'after',
    `
Environment:
  STACKFERRY_ESXI, _ESXI_USER, _ESXI_PASSWORD, _ESXI_PASSWORD_FILE, _ESXI_KEY, _ESXI_FINGERPRINT, _ESXI_SSH_PORT
  OS_CLOUD and the other OS_* variables; clouds.yaml where the OpenStack client finds it
  STACKFERRY_STATE_DIR                            where runs are kept; NO_COLOR

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a blocker stands, 130 interrupted (and resumable)
`,
  );
  for (const register of commands) register(program, app);
  return program;
}

/** Turns commander's own errors (unknown option, missing argument) into ours; null for help and version, which are none. */
export function usageErrorOf(error: CommanderError): UsageError | null {
  if (error.exitCode === 0 || error.code === 'commander.help') return null;
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const text = `${first.charAt(0).toUpperCase()}${first.slice(1)}`;
  return new UsageError(/[.!?]$/.test(text) ? text : `${text}.`, [...more, 'See: stackferry --help'].join(' ').trim());
}
