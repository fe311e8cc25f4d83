import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError, parseRate } from '../../core/index.js';
import { defaultTimeouts, type Bandwidth, type RunSettings } from '../../migration/steps/settings.js';
import { collect, wholeNumber } from './parse.js';

/** What is allowed to be done to a running source VM. */
export function addPowerOptions(command: Command): Command {
  return command
    .optionsGroup('Power:')
    .option('--power-off', 'shut a running guest down first (by VMware Tools)')
    .option('--force-off', 'as --power-off, and pull the plug when the guest has not shut down in time')
    .option('--timeout-shutdown <seconds>', 'how long the guest may take, 300 if unset', wholeNumber(1));
}

/** How disks are read from the host. */
export function addReadingOptions(command: Command): Command {
  return command
    .optionsGroup('Reading:')
    .option(
      '--streams <n>',
      'connections that read from the host at once, at most 8; as many as bring something if unset',
      wholeNumber(1, 8),
    )
    .option(
      '--bandwidth <[datastore=]rate>',
      'read no more than this from the host, or from a datastore (repeatable): 200MiB/s, ds1=1Gbit/s',
      collect,
    )
    .option(
      '--low-priority',
      'one stream, pauses while the host answers slower than usual, and nice 19 for this program',
    )
    .addOption(
      new Option('--trust-map <when>', 'leave out what its block map calls empty; auto takes samples').choices([
        'auto',
        'always',
        'never',
      ]),
    );
}

type TimeoutName = 'image' | 'volume' | 'server' | 'console';
const timeoutHelp: Record<TimeoutName, string> = {
  image: 'how long Glance may take after the last byte, 1800 if unset',
  volume: 'how long Cinder may take to make or delete a volume, 7200 if unset',
  server: 'how long Nova may take until ACTIVE, 600 if unset',
  console: 'how long the guest may take until --wait-for is met, 300 if unset',
};

export function addTimeoutOptions(command: Command, names: readonly TimeoutName[]): Command {
  command.optionsGroup('Time limits:');
  for (const name of names) command.option(`--timeout-${name} <seconds>`, timeoutHelp[name], wholeNumber(1));
  return command;
}

export const settingsSchema = z.object({
  powerOff: z.boolean().optional(),
  forceOff: z.boolean().optional(),
  timeoutShutdown: z.number().optional(),
  timeoutImage: z.number().optional(),
  timeoutVolume: z.number().optional(),
  timeoutServer: z.number().optional(),
  timeoutConsole: z.number().optional(),
  streams: z.number().optional(),
  bandwidth: z.array(z.string()).optional(),
  lowPriority: z.boolean().optional(),
  trustMap: z.enum(['auto', 'always', 'never']).optional(),
  compress: z.boolean().optional(),
  sha256: z.boolean().optional(),
  force: z.boolean().optional(),
});

/** How this command line wants things done. */
export function readSettings(options: z.infer<typeof settingsSchema>): RunSettings {
  const ms = (seconds: number | undefined, otherwise: number) => (seconds === undefined ? otherwise : seconds * 1000);
  return {
    powerOff: options.powerOff ?? false,
    forceOff: options.forceOff ?? false,
    streams: streamsOf(options),
    bandwidth: bandwidthOf(options.bandwidth ?? []),
    lowPriority: options.lowPriority ?? false,
    trustMap: options.trustMap ?? 'auto',
    compress: options.compress ?? false,
    sha256: options.sha256 ?? false,
    force: options.force ?? false,
    timeouts: {
      shutdownMs: ms(options.timeoutShutdown, defaultTimeouts.shutdownMs),
      imageMs: ms(options.timeoutImage, defaultTimeouts.imageMs),
      volumeMs: ms(options.timeoutVolume, defaultTimeouts.volumeMs),
      serverMs: ms(options.timeoutServer, defaultTimeouts.serverMs),
      consoleMs: ms(options.timeoutConsole, defaultTimeouts.consoleMs),
    },
  };
}

function streamsOf({ streams, lowPriority }: z.infer<typeof settingsSchema>): number | null {
  if (lowPriority !== true) return streams ?? null;
  if (streams !== undefined && streams !== 1) {
    throw new UsageError(
      `--low-priority reads with one stream, and --streams asks for ${streams}.`,
      'Leave one of the two out.',
    );
  }
  return 1;
}

/** `RATE`, or `DATASTORE=RATE` split at the last `=`. Whether there is such a datastore is not known yet. */
function bandwidthOf(texts: readonly string[]): Bandwidth {
  const given = new Map<string | null, number>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const name = at < 0 ? null : text.slice(0, at);
    const on = name === null ? 'the host' : `datastore ${name}`;
    if (name === '')
      throw new UsageError(`--bandwidth ${text} names no datastore.`, 'Example: --bandwidth ds1=80MiB/s');
    if (given.has(name)) throw new UsageError(`--bandwidth limits ${on} twice.`, 'Give each limit once.');
    given.set(name, parseRate(text.slice(at + 1), '--bandwidth'));
  }
  const host = given.get(null) ?? null;
  given.delete(null);
  return { host, datastores: Object.fromEntries(given) as Record<string, number> };
}
