import { Command, CommanderError } from 'commander';
import { UsageError } from '../core/index.js';
import type { App } from './app.js';
import { addGlobalOptions } from './options/global.js';
import { register as check } from './check.js';
import { register as convert } from './convert.js';
import { register as doctor } from './doctor.js';
import { register as estimate } from './estimate.js';
import { register as exportCommand } from './export.js';
import { register as guide } from './guide.js';
import { register as importCommand } from './import.js';
import { register as inventory } from './inventory.js';
import { register as migrate } from './migrate.js';
import { register as plan } from './plan.js';
import { register as report } from './report.js';
import { register as rollback } from './rollback.js';
import { register as server } from './server.js';
import { register as status } from './status.js';
import { register as upload } from './upload.js';
import { register as verify } from './verify.js';
import { register as volume } from './volume.js';

/** Every command, in the order in which a person needs them. A new command is a file and a line here. */
const commands = [
  doctor,
  inventory,
  plan,
  check,
  guide,
  estimate,
  migrate,
  importCommand,
  exportCommand,
  convert,
  upload,
  volume,
  server,
  status,
  verify,
  report,
  rollback,
];

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
    .exitOverride((error) => {
      // Options behind a word that is no command are unknown because the word is.
      const [wanted] = program.args;
      const isWord = error.code === 'commander.unknownOption' && wanted?.startsWith('-') === false;
      throw isWord ? noCommand(wanted, program) : (usageErrorOf(error) ?? error);
    })
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: () => undefined })
    .showSuggestionAfterError(true)
    .helpCommand(false) // ours, below, says of a word that is no command what it is
    .action(() => {
      const [wanted] = program.args;
      if (wanted !== undefined) throw noCommand(wanted, program);
      terminal.out(WHAT_NEXT);
    });
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
  addHelpCommand(program);
  for (const command of program.commands) {
    command.exitOverride((error) => {
      throw usageErrorOf(error, command.name()) ?? error;
    });
  }
  // Only here, and after the commands, which take it over: the action above says of a surplus word what it is.
  program.allowExcessArguments(true);
  return program;
}

/** `help`, `help COMMAND`: as people type it who know git or openstack. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .summary('show the help of a command')
    .description('Shows the help of a command, as --help behind its name does.')
    .argument('[command]')
    .addHelpText('after', '\nExamples:\n  $ stackferry help migrate\n')
    .action((wanted: string | undefined) => {
      const command = wanted === undefined ? program : program.commands.find((item) => item.name() === wanted);
      if (!command) throw noCommand(wanted ?? '', program);
      command.outputHelp();
    });
}

function noCommand(wanted: string, program: Command): UsageError {
  const names = program.commands.map((command) => command.name());
  const near = names.map((name) => ({ name, edits: editsBetween(wanted, name) })).sort((a, b) => a.edits - b.edits)[0];
  const begun = names.find((name) => wanted.length > 1 && name.startsWith(wanted));
  const meant = begun ?? (near && near.edits <= 2 ? near.name : undefined);
  const hint = meant === undefined ? '' : `Did you mean ${meant}? `;
  return new UsageError(`There is no command "${wanted}".`, `${hint}List them with: stackferry --help`);
}

/** Letters to add, take away or change to make one word of the other (Levenshtein). */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(one).entries()) {
    const next = [index + 1];
    for (const [at, against] of Array.from(other).entries()) {
      const changed = (row[at] ?? 0) + (letter === against ? 0 : 1);
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** Turns commander's own errors (unknown option, missing argument) into ours; null for help and version, which are none. */
export function usageErrorOf(error: CommanderError, command = ''): UsageError | null {
  if (error.exitCode === 0 || error.code === 'commander.help') return null;
  // An option that is not known may hold what must not be shown: --esxi-password=…
  const known = error.message.replace(/^error: /, '').replace(/^(unknown option '-[^=']*)=[^\n]*'/, "$1'");
  const [first = '', ...more] = known.split('\n');
  const text = `${first.charAt(0).toUpperCase()}${first.slice(1)}`;
  const help = `See: stackferry ${command === '' ? '' : `${command} `}--help`;
  return new UsageError(/[.!?]$/.test(text) ? text : `${text}.`, [...more, help].join(' ').trim());
}
