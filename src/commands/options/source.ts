import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { Secret, UsageError, type Context } from '../../core/index.js';
import type { SoapTarget } from '../../esxi/soap/index.js';
import type { SshTarget } from '../../esxi/ssh/index.js';
import { stateDir, type App } from '../app.js';
import { wholeNumber } from './parse.js';
import { askPassword, givenPassword, readAuthorities, type Env } from './source-secrets.js';

const transports = ['auto', 'ssh', 'https'] as const;
export type Transport = (typeof transports)[number];

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
    .option(
      '--esxi-fingerprint <fingerprint>',
      'pin the host key (SHA256:…) or the certificate (hex) (STACKFERRY_ESXI_FINGERPRINT)',
    )
    .option('--esxi-cacert <file>', 'over https: authorities to trust, PEM (STACKFERRY_ESXI_CACERT)')
    .option(
      '--esxi-insecure',
      'accept any host key or certificate; who sits between may read and change all (GOVC_INSECURE)',
    )
    .option('--esxi-legacy-ssh', 'also offer the weak algorithms of old hosts (ESXi 5.x, 6.0)')
    .addOption(
      new Option('--esxi-transport <way>', 'the way to the host (STACKFERRY_ESXI_TRANSPORT)').choices(transports),
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
  esxiCacert: z.string().optional(),
  esxiTransport: z.enum(transports).optional(),
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
  esxiTransport(app, options); // said wrongly, it is wrong usage whatever is done
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

/** Which door is meant. */
export function esxiTransport(app: Pick<App, 'env'>, options: SourceOptions): Transport {
  const said = options.esxiTransport ?? present(app.env)('STACKFERRY_ESXI_TRANSPORT') ?? 'auto';
  const known = transports.find((one) => one === said);
  if (known !== undefined) return known;
  throw new UsageError(`STACKFERRY_ESXI_TRANSPORT=${said} is not known.`, `It is one of: ${transports.join(', ')}.`);
}

/** Everything the API's door needs; the port is the one of `--esxi` or GOVC_URL. */
export async function soapTarget(app: App, options: SourceOptions, password: SourcePassword): Promise<SoapTarget> {
  const env = present(app.env);
  const { host, user } = sourceTarget(app, options);
  const said = options.esxi ?? env('STACKFERRY_ESXI');
  const port = said === undefined ? govcUrl(env('GOVC_URL'))?.port : hostOf(said, options).port;
  const fingerprint = options.esxiFingerprint ?? env('STACKFERRY_ESXI_FINGERPRINT');
  const authorities = options.esxiCacert ?? env('STACKFERRY_ESXI_CACERT');
  return {
    host,
    port: port ?? 443,
    user,
    password: password.get,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(authorities === undefined ? {} : { ca: await readAuthorities(resolve(app.cwd, authorities)) }),
    insecure: isInsecure(env, options),
  };
}

/** Everything the SSH door needs. */
export function sshTarget(app: App, options: SourceOptions, password: SourcePassword): SshTarget {
  const env = present(app.env);
  const { host, port, user } = sourceTarget(app, options);
  const key = options.esxiKey ?? env('STACKFERRY_ESXI_KEY');
  const passphrase = env('STACKFERRY_ESXI_KEY_PASSPHRASE');
  const fingerprint = options.esxiFingerprint ?? env('STACKFERRY_ESXI_FINGERPRINT');
  const agent = env('SSH_AUTH_SOCK');
  const state = stateDir(app);
  return {
    host,
    port,
    user,
    password: password.get,
    ...(key === undefined ? {} : { keyFile: key }),
    ...(passphrase === undefined ? {} : { keyPassphrase: new Secret(passphrase) }),
    ...(agent === undefined ? {} : { agentSocket: agent }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    knownHostsFiles: [`${app.home}/.ssh/known_hosts`, '/etc/ssh/ssh_known_hosts'],
    rememberIn: `${state}/known_hosts`,
    insecure: isInsecure(env, options),
    legacy: options.esxiLegacySsh ?? false,
    maxConnections: Math.max(1, options.streams ?? MOST_CONNECTIONS),
  };
}

function isInsecure(env: Env, options: SourceOptions): boolean {
  return options.esxiInsecure ?? isTrue(env('STACKFERRY_ESXI_INSECURE') ?? env('GOVC_INSECURE'));
}

export interface SourcePassword {
  /** Where it is not given, it is asked for when the host wants one. */
  get: () => Promise<Secret>;
  /** The password where it is given or was asked for already. */
  atHand: () => Secret | undefined;
}

/**
 * The password of the source's account. Made once for all doors that are tried: it is asked for once, and the file that
 * holds it may be a pipe.
 */
export async function sourcePassword(app: App, options: SourceOptions, ctx: Context): Promise<SourcePassword> {
  const env = present(app.env);
  const { host, user } = sourceTarget(app, options);
  let known = await givenPassword(env, options.esxiPasswordFile, () => govcUrl(env('GOVC_URL'))?.password);
  return {
    get: async () => (known ??= await askPassword(ctx, `${user}@${host}`)),
    atHand: () => known,
  };
}

/** Looks a variable up; an empty one counts as unset, as for the OpenStack client. */
function present(env: App['env']): Env {
  return (name) => {
    const value = env[name];
    return value === undefined || value === '' ? undefined : value;
  };
}

/** A value that may be the path of a file (govc); a path is not a user name. */
function valueOrNothing(value: string | undefined): string | undefined {
  return value?.startsWith('/') === true ? undefined : value;
}

/** govc's URL: scheme https and path /sdk are implied, user and password may be in it. */
function govcUrl(
  text: string | undefined,
): { host: string; port?: number; user?: string; password?: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const url = new URL(text.includes('://') ? text : `https://${text}`);
    if (url.hostname === '') throw new Error('no host');
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      ...(url.port === '' ? {} : { port: Number(url.port) }),
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
function hostOf(
  text: string,
  options: SourceOptions,
): { host: string; port: number | undefined; user: string | undefined } {
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
  const { host, port } = hostIn(rest);
  if (
    host === undefined ||
    (port !== undefined && (port < 1 || port > 65535)) ||
    user === '' ||
    /[\s/]/.test(user ?? '')
  ) {
    throw new UsageError(`${where} is not of the form [USER@]HOST[:PORT].`, 'Example: --esxi esx1.example.com');
  }
  return { host, port, user };
}

function hostIn(text: string): { host?: string | undefined; port?: number | undefined } {
  const [, inBrackets, behind] = /^\[([0-9a-f:.%a-z]+)\](?::(\d{1,5}))?$/i.exec(text) ?? [];
  const address = inBrackets ?? ((text.match(/:/g) ?? []).length > 1 ? text : undefined);
  const number = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits));
  if (address !== undefined) return { host: isIP(address) === 6 ? address : undefined, port: number(behind) };
  const [, host, port] = /^([^\s/@:-][^\s/@:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return { host, port: number(port) };
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
