import { readFile } from 'node:fs/promises';
import ssh2, { type ParsedKey } from 'ssh2';
import { InterruptedError, Secret, StackferryError, messageOf, systemCode, type Context } from '../../core/index.js';
import { fingerprintOf } from './known-hosts.js';
import type { SshTarget } from './target.js';

/** The option, for messages: the environment variable that gives a key's passphrase. */
const PASSPHRASE_OPTION = 'STACKFERRY_ESXI_KEY_PASSPHRASE';
const AGENT_TIMEOUT_MS = 5000;
/** Each key that does not fit costs one of the host's tries (MaxAuthTries, 6): two leave room for a password. */
const AGENT_KEYS = 2;

/** Something that can sign for us: a key that was read, or one that an agent keeps. */
export interface Identity {
  kind: 'key' | 'agent';
  /** For messages: the file, or the agent's comment. */
  label: string;
  /** `SHA256:…` of the public key. */
  fingerprint: string;
  /** For ssh2: the private key itself, or an agent that offers this one key. */
  use: { key: ParsedKey } | { agent: ssh2.BaseAgent };
}

/**
 * The identities to offer, in order: the explicit key file, else at most two of the agent's. An encrypted key file
 * is opened with the given passphrase; without one the agent may hold the same key (its `.pub` file says so), and
 * else the person is asked.
 */
export async function loadIdentities(target: SshTarget, ctx: Context): Promise<Identity[]> {
  if (target.keyFile === undefined) {
    if (target.agentSocket === undefined) return [];
    const held = await agentIdentities(target.agentSocket, ctx);
    if (held.length > AGENT_KEYS) {
      ctx.log.debug('ssh agent: only the first keys are offered', { held: held.length, offered: AGENT_KEYS });
    }
    return held.slice(0, AGENT_KEYS);
  }
  const file = target.keyFile;
  const text = await readKeyFile(file);
  const parsed = parse(text);
  if (parsed.kind === 'key') return [identityOf(file, parsed.key)];
  if (parsed.kind === 'broken') throw brokenKey(file, parsed.why);
  if (target.keyPassphrase !== undefined) {
    const key = parse(text, target.keyPassphrase);
    if (key.kind === 'key') return [identityOf(file, key.key)];
    throw wrongPassphrase(file);
  }
  const inAgent = await sameKeyInAgent(target, ctx);
  if (inAgent !== null) return [inAgent];
  return [identityOf(file, await askPassphrase(file, text, ctx))];
}

async function readKeyFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new StackferryError(
      'esxi.key_unreadable',
      `Cannot read the key file ${file}: ${systemCode(error) === 'ENOENT' ? 'it does not exist' : messageOf(error)}.`,
      { hint: 'Check the path given with --esxi-key (STACKFERRY_ESXI_KEY).', cause: error },
    );
  }
}

type Parsed = { kind: 'key'; key: ParsedKey } | { kind: 'encrypted' } | { kind: 'broken'; why: string };

function parse(text: Buffer, passphrase?: Secret): Parsed {
  let result: ParsedKey | Error;
  try {
    result = ssh2.utils.parseKey(text, passphrase?.reveal());
  } catch (error) {
    return { kind: 'broken', why: messageOf(error) };
  }
  if (result instanceof Error) {
    // "Encrypted … detected, but no passphrase given": the only way that ssh2 tells it.
    if (/no passphrase/i.test(result.message)) return { kind: 'encrypted' };
    return { kind: 'broken', why: result.message };
  }
  // For OpenSSH's format ssh2 gives an array, whatever its types say.
  const [key] = [result].flat();
  if (key === undefined) return { kind: 'broken', why: 'it holds no key' };
  if (!key.isPrivateKey()) return { kind: 'broken', why: 'it holds a public key; the private one is needed' };
  return { kind: 'key', key };
}

async function askPassphrase(file: string, text: Buffer, ctx: Context): Promise<ParsedKey> {
  for (let tries = 0; tries < 3; tries++) {
    let answer: string;
    try {
      answer = await ctx.events.ask({
        type: 'secret',
        code: 'esxi.key_passphrase',
        message: tries === 0 ? `Passphrase for ${file}:` : `That is not it. Passphrase for ${file}:`,
        option: PASSPHRASE_OPTION,
      });
    } catch (error) {
      if (error instanceof InterruptedError || ctx.signal.aborted) throw error;
      throw new StackferryError('esxi.key_passphrase', `The key file ${file} is encrypted, and nobody can be asked.`, {
        hint: `Put its passphrase into ${PASSPHRASE_OPTION}, or load the key into an ssh-agent.`,
        cause: error,
      });
    }
    if (answer === '') continue;
    const parsed = parse(text, new Secret(answer));
    if (parsed.kind === 'key') return parsed.key;
  }
  throw wrongPassphrase(file);
}

function identityOf(file: string, key: ParsedKey): Identity {
  return { kind: 'key', label: file, fingerprint: fingerprintOf(key.getPublicSSH()), use: { key } };
}

function wrongPassphrase(file: string): StackferryError {
  return new StackferryError('esxi.key_passphrase', `The passphrase does not open the key file ${file}.`, {
    hint: `Check ${PASSPHRASE_OPTION}.`,
  });
}

function brokenKey(file: string, why: string): StackferryError {
  return new StackferryError('esxi.key_unreadable', `The key file ${file} cannot be used: ${why}.`, {
    hint: 'Use an RSA, ECDSA or Ed25519 private key in OpenSSH, PEM or PuTTY.',
  });
}

/** The agent's copy of the key whose public half lies beside the file. */
async function sameKeyInAgent(target: SshTarget, ctx: Context): Promise<Identity | null> {
  if (target.agentSocket === undefined || target.keyFile === undefined) return null;
  const text = await readFile(`${target.keyFile}.pub`).catch(() => null);
  if (text === null) return null;
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) return null;
  const wanted = fingerprintOf(key.getPublicSSH());
  return (await agentIdentities(target.agentSocket, ctx)).find((held) => held.fingerprint === wanted) ?? null;
}

/** What the agent holds. An agent that does not answer is no reason to fail: other ways in may be left. */
async function agentIdentities(socket: string, ctx: Context): Promise<Identity[]> {
  try {
    const agent = ssh2.createAgent(socket);
    const keys = await listKeys(agent);
    return keys.map((key): Identity => ({
      kind: 'agent',
      label: key.comment === '' ? key.type : key.comment,
      fingerprint: fingerprintOf(key.getPublicSSH()),
      use: { agent: new OneKeyAgent(agent, key) },
    }));
  } catch (error) {
    ctx.log.debug('ssh agent not used', { socket, reason: messageOf(error) });
    return [];
  }
}

function listKeys(agent: ssh2.BaseAgent): Promise<ParsedKey[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('the agent does not answer'));
    }, AGENT_TIMEOUT_MS);
    agent.getIdentities((error, found) => {
      clearTimeout(timer);
      if (error) {
        reject(error);
        return;
      }
      const parsed = (found ?? []).map((entry) => {
        const held = typeof entry === 'object' && 'pubKey' in entry ? entry.pubKey : entry;
        const key = ssh2.utils.parseKey(typeof held === 'object' && 'pubKey' in held ? held.pubKey : held);
        return [key].flat()[0] ?? new Error('no key');
      });
      resolve(parsed.filter((key): key is ParsedKey => !(key instanceof Error)));
    });
  });
}

/** An agent that shows one of its keys only, so that each offer is ours to count. */
class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: ssh2.BaseAgent;
  readonly #key: ParsedKey;

  constructor(agent: ssh2.BaseAgent, key: ParsedKey) {
    super();
    this.#agent = agent;
    this.#key = key;
  }

  override getIdentities(callback: ssh2.IdentityCallback<ParsedKey>): void {
    callback(null, [this.#key]);
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: ssh2.SigningRequestOptions | ssh2.SignCallback,
    callback?: ssh2.SignCallback,
  ): void {
    if (typeof options === 'function') this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, callback);
  }
}
