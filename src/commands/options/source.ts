import { isIP } from 'node:net';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { Secret, UsageError, systemCode, type Context } from '../../core/index.js';
import type { SshTarget } from '../../esxi/ssh/index.js';
import { stateDir, type App } from '../app.js';
import { wholeNumber } from './parse.js';

/** The options that say where the source is and how to come in. */
export function addSourceOptions(command: Command): Command {
  return command
    .optionsGroup('Source:')
    .option(
      '--esxi <[user@]host[:port]>',
      "the ESXi host; the port is its API's, SSH's is --esxi-ssh-port (STACKFERRY_ESXI, GOVC_URL)",
    )
    .option(
      '--esxi-ssh-port <port>',
      'the port of its SSH service, 22 if unset (STACKFERRY_ESXI_SSH_PORT)',
      wholeNumber(1, 65535),
    )
    .option('--esxi-user <name>', 'the account, root if unset (STACKFERRY_ESXI_USER, GOVC_USERNAME)')
    .option(
      '--esxi-password-file <file>',
      'a file that holds the password (STACKFERRY_ESXI_PASSWORD_FILE; or STACKFERRY_ESXI_PASSWORD)',
    )
    .option(
      '--esxi-key <file>',
      'a private key; its passphrase by STACKFERRY_ESXI_KEY_PASSPHRASE or a prompt (STACKFERRY_ESXI_KEY)',
    )
    .option('--esxi-fingerprint <fingerprint>', 'accept only this host key: SHA256:… (STACKFERRY_ESXI_FINGERPRINT)')
    .option('--esxi-insecure', 'accept any host key; who sits between may read and change all (GOVC_INSECURE)')
    .option('--esxi-legacy-ssh', 'also offer the weak algorithms of old hosts (ESXi 5.x, 6.0)')
    .addOption(
      new Option('--esxi-transport <way>', 'how the host is read (STACKFERRY_ESXI_TRANSPORT)').choices(['auto', 'ssh']),
    );
}

/** OpenSSH lets ten connections log in at once; some must stay free for others. */
const MOST_CONNECTIONS = 8;

export const sourceSchema = z.object({
  esxi: z.string().optional(),
  esxiSshPort: z.number().max(65535).optional(),
  esxiUser: z.string().optional(),
  esxiPasswordFile: z.string().optional(),
  esxiKey: z.string().optional(),
  esxiFingerprint: z.string().optional(),
  esxiInsecure: z.boolean().optional(),
  esxiLegacySsh: z.boolean().optional(),
  esxiTransport: z.enum(['auto', 'ssh']).optional(),
  streams: z.number().max(8).optional(),
});
export type SourceOptions = z.infer<typeof sourceSchema>;

/** Where the host is, before anything is asked of it. */
export interface SourceTarget {
  host: string;
  port: number;
  user: string;
}

/** An address that a plan or a run knows, in the words of the source options: what a command line need not say again. */
export function addressOptions({ host, port, user }: SourceTarget): SourceOptions {
  return { esxi: host, esxiSshPort: port, esxiUser: user };
}

/** The host that is meant, from options, our variables, and govc's where ours are unset. */
export function sourceTarget(app: Pick<App, 'env'>, options: SourceOptions): SourceTarget {
  const env = present(app.env);
  const govc = govcUrl(env('GOVC_URL'));
  const said = options.esxi ?? env('STACKFERRY_ESXI');
  const own = said === undefined ? undefined : hostOf(said, options);
  const host = own?.host ?? govc?.host;
  if (host === undefined) {
    throw new UsageError('No ESXi host is named.', 'Use --esxi HOST, or set STACKFERRY_ESXI.');
  }
  const transport = options.esxiTransport ?? env('STACKFERRY_ESXI_TRANSPORT') ?? 'auto';
  if (transport !== 'auto' && transport !== 'ssh') {
    throw new UsageError(
      `STACKFERRY_ESXI_TRANSPORT=${transport} is not known here.`,
      'This version reads hosts over SSH: auto or ssh.',
    );
  }
  const port = options.esxiSshPort ?? portOf(env('STACKFERRY_ESXI_SSH_PORT')) ?? 22;
  const user =
    options.esxiUser ??
    (options.esxi === undefined ? undefined : own?.user) ??
    env('STACKFERRY_ESXI_USER') ??
    own?.user ??
    valueOrNothing(env('GOVC_USERNAME')) ??
    govc?.user ??
    'root';
  return { host, port, user };
}

/** Everything the SSH door needs. The password is asked for only when the host wants one. */
export async function sshTarget(app: App, options: SourceOptions, ctx: Context): Promise<SshTarget> {
  const env = present(app.env);
  const { host, port, user } = sourceTarget(app, options);
  const key = options.esxiKey ?? env('STACKFERRY_ESXI_KEY');
  const passphrase = env('STACKFERRY_ESXI_KEY_PASSPHRASE');
  const fingerprint = options.esxiFingerprint ?? env('STACKFERRY_ESXI_FINGERPRINT');
  const agent = env('SSH_AUTH_SOCK');
  const state = stateDir(app);
  const password = await givenPassword(env, options);
  return {
    host,
    port,
    user,
    password: () =>
      password !== undefined
        ? Promise.resolve(password)
        : ctx.events
            .ask({
              type: 'secret',
              code: 'esxi.password',
              message: `Password for ${user}@${host}:`,
              option: 'set STACKFERRY_ESXI_PASSWORD or STACKFERRY_ESXI_PASSWORD_FILE, or use --esxi-key',
            })
            .then((text) => new Secret(text)),
    ...(key === undefined ? {} : { keyFile: key }),
    ...(passphrase === undefined ? {} : { keyPassphrase: new Secret(passphrase) }),
    ...(agent === undefined ? {} : { agentSocket: agent }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    knownHostsFiles: [`${app.home}/.ssh/known_hosts`, '/etc/ssh/ssh_known_hosts'],
    rememberIn: `${state}/known_hosts`,
    insecure: options.esxiInsecure ?? isTrue(env('STACKFERRY_ESXI_INSECURE') ?? env('GOVC_INSECURE')),
    legacy: options.esxiLegacySsh ?? false,
    maxConnections: Math.max(1, options.streams ?? MOST_CONNECTIONS),
  };
}

type Env = (name: string) => string | undefined;

/** Looks a variable up; an empty one counts as unset, as for the OpenStack client. */
function present(env: App['env']): Env {
  return (name) => {
    const value = env[name];
    return value === undefined || value === '' ? undefined : value;
  };
}

async function givenPassword(env: Env, options: SourceOptions): Promise<Secret | undefined> {
  if (options.esxiPasswordFile !== undefined) return readSecret(options.esxiPasswordFile);
  const own = env('STACKFERRY_ESXI_PASSWORD');
  if (own !== undefined) return new Secret(own);
  const file = env('STACKFERRY_ESXI_PASSWORD_FILE');
  if (file !== undefined) return readSecret(file);
  // govc's own rule: the variable may hold the password or the path of a file with it.
  const govc = env('GOVC_PASSWORD') ?? govcUrl(env('GOVC_URL'))?.password;
  if (govc === undefined) return undefined;
  return (await tryReadSecret(govc)) ?? new Secret(govc);
}

async function readSecret(path: string): Promise<Secret> {
  const secret = await tryReadSecret(path);
  if (secret?.reveal() === '') {
    // Sent, it would count as a failed login, and some of those lock the account.
    throw new UsageError(`The first line of the password file ${path} is empty.`, 'It holds the password there.');
  }
  if (secret) return secret;
  throw new UsageError(`The password file ${path} cannot be read.`, 'It holds the password in its first line.');
}

async function tryReadSecret(path: string): Promise<Secret | undefined> {
  const { readFile } = await import('node:fs/promises');
  try {
    return new Secret((await readFile(path, 'utf8')).replace(/\r?\n[^]*$/, ''));
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}

/** A value that may be the path of a file (govc); a path is not a user name. */
function valueOrNothing(value: string | undefined): string | undefined {
  return value?.startsWith('/') === true ? undefined : value;
}

/** govc's URL: scheme https and path /sdk are implied, user and password may be in it. */
function govcUrl(text: string | undefined): { host: string; user?: string; password?: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const url = new URL(text.includes('://') ? text : `https://${text}`);
    if (url.hostname === '') throw new Error('no host');
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    };
  } catch {
    throw new UsageError('GOVC_URL is no URL.', 'Example: GOVC_URL=root@esx1');
  }
}

/**
 * Host and account of `[USER@]HOST[:PORT]`, with IPv6 addresses in brackets or bare. What is wrong is never shown: there
 * may be a password in it.
 */
function hostOf(text: string, options: SourceOptions): { host: string; user: string | undefined } {
  const where = options.esxi === undefined ? 'STACKFERRY_ESXI' : '--esxi';
  const at = text.lastIndexOf('@');
  const user = at < 0 ? undefined : text.slice(0, at);
  const rest = text.slice(at + 1);
  if (user?.includes(':') === true) {
    throw new UsageError(
      `${where} holds a password, which others on this machine could read.`,
      `Leave it out: ${where === '--esxi' ? '--esxi root@esx1' : `${where}=root@esx1`}; it is asked for, or read from STACKFERRY_ESXI_PASSWORD or --esxi-password-file.`,
    );
  }
  if (user !== undefined && options.esxiUser !== undefined && options.esxiUser !== user) {
    throw new UsageError(`${where} names another account than --esxi-user.`, 'Name it once.');
  }
  const host = hostIn(rest);
  if (host === undefined || user === '' || /[\s/]/.test(user ?? '')) {
    throw new UsageError(`${where} is not of the form [USER@]HOST[:PORT].`, 'Example: --esxi esx1.example.com');
  }
  return { host, user };
}

function hostIn(text: string): string | undefined {
  const bracketed = /^\[([0-9a-f:.%a-z]+)\](?::\d{1,5})?$/i.exec(text)?.[1];
  const address = bracketed ?? ((text.match(/:/g) ?? []).length > 1 ? text : undefined);
  if (address !== undefined) return isIP(address) === 6 ? address : undefined;
  return /^([^\s/@:-][^\s/@:]*)(?::\d{1,5})?$/.exec(text)?.[1];
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535) {
    throw new UsageError(`STACKFERRY_ESXI_SSH_PORT=${text} is no port.`);
  }
  return Number(text);
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true|yes|on)$/i.test(text);
}
