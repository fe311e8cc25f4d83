import { execFile, spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { StackferryError } from '../../src/core/index.js';
import type { RemoteShell, RunningCommand } from '../../src/esxi/ssh/index.js';

export interface LocalShell extends RemoteShell {
  /** Every command, as it was given. */
  commands: string[];
  /** Shell text that runs first: functions here stand before programs of their name. */
  before: string;
  /** Changes how the next streams behave; called with the command and its number. */
  onStream: (command: string, number: number) => StreamFault | null;
}

export interface StreamFault {
  /** The connection is cut after so many bytes: no exit status, as ssh2 shows it. */
  cutAfter?: number;
  /** Ends well after so many bytes: a lying peer. */
  shortAfter?: number;
  /** Called after so many bytes were passed on. */
  at?: { bytes: number; run: () => void };
}

/** A host whose shell is a real busybox here, and whose /vmfs/volumes is a local folder. */
export function localShell(volumes: string): LocalShell {
  let roundTrips = 0;
  let streams = 0;
  const argumentsOf = (command: string) => [
    'sh',
    '-c',
    `${shell.before}\n${command.replaceAll('/vmfs/volumes', volumes)}`,
  ];
  const shell: LocalShell = {
    name: 'root@local',
    commands: [],
    before: '',
    onStream: () => null,
    get roundTrips() {
      return roundTrips;
    },
    run: (command) => {
      roundTrips++;
      shell.commands.push(command);
      return new Promise((resolve, reject) => {
        execFile(
          'busybox',
          argumentsOf(command),
          { encoding: 'buffer', maxBuffer: 2 ** 26 },
          (error, stdout, stderr) => {
            if (error && typeof error.code !== 'number')
              reject(new StackferryError('esxi.connection_lost', error.message));
            else resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr: stderr.toString() });
          },
        );
      });
    },
    stream: (command, options = {}): Promise<RunningCommand> => {
      roundTrips++;
      shell.commands.push(command);
      const fault = shell.onStream(command, ++streams) ?? {};
      const child = spawn('busybox', argumentsOf(command), { stdio: ['pipe', 'pipe', 'pipe'] });
      if (options.openStdin !== true) child.stdin.end();
      const stdout = new PassThrough();
      let passed = 0;
      let cut = false;
      let stderr = '';
      child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
      void (async () => {
        const limit = fault.cutAfter ?? fault.shortAfter ?? Infinity;
        for await (const piece of child.stdout as AsyncIterable<Buffer>) {
          const part = piece.subarray(0, limit - passed);
          passed += part.length;
          if (fault.at && passed >= fault.at.bytes) {
            fault.at.run();
            delete fault.at;
          }
          if (!stdout.destroyed && part.length > 0 && !stdout.write(part)) {
            await drained(stdout);
          }
          if (passed >= limit) {
            cut = fault.cutAfter !== undefined;
            break;
          }
        }
        stdout.end();
      })().catch(() => stdout.end());
      let killed = false;
      const finished = new Promise<{ exitCode: number | null; signal: string | null; stderr: string }>((resolve) => {
        child.on('close', (code) => {
          const exitCode = killed || cut ? null : fault.shortAfter !== undefined ? 0 : code;
          resolve({ exitCode, signal: null, stderr });
        });
      });
      const kill = () => {
        killed = true;
        child.kill('SIGKILL');
        stdout.destroy();
      };
      return Promise.resolve({ stdout, stdin: child.stdin, finished, kill });
    },
    close: () => Promise.resolve(),
  };
  return shell;
}

async function drained(stream: PassThrough): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
