import { appendFile, chmod, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  InterruptedError,
  StackferryError,
  UsageError,
  makeFolders,
  messageOf,
  systemCode,
  type Context,
} from '../../core/index.js';
import {
  fingerprintOf,
  keyTypeOfBlob,
  knownHostLine,
  knownKeyTypes,
  lookUp,
  parseKnownHosts,
  type KnownHost,
} from './known-hosts.js';
import type { SshFacts, SshTarget } from './target.js';

type Trust = SshFacts['hostKeyTrust'];

/** What to do with a key that the host shows in the handshake. */
export type HostKeyDecision =
  /** Go on; the handshake proves that the host holds it. */
  | { kind: 'accept'; trust: Trust }
  /** Ask the person, outside the handshake, whose time limits do not wait for people. */
  | { kind: 'ask' }
  /** A pin may belong to another of the host's keys: try its other types, and only then give up with `error`. */
  | { kind: 'other-type'; error: StackferryError }
  | { kind: 'refuse'; error: StackferryError };

/**
 * The host key rules of one shell: a pinned fingerprint, else known_hosts, else the person, else nothing. A key that
 * was accepted once is the only one for the shell's later connections.
 */
export class HostKeyRules {
  readonly #target: SshTarget;
  readonly #entries: readonly KnownHost[];
  readonly #pin: string | null;
  #accepted: { fingerprint: string; trust: Trust } | null = null;
  #toRemember: Buffer | null = null;

  private constructor(target: SshTarget, entries: readonly KnownHost[]) {
    this.#target = target;
    this.#entries = entries;
    this.#pin = target.fingerprint === undefined ? null : normalisePin(target.fingerprint);
  }

  /** Reads the known_hosts files. A file that is there and cannot be read is an error: it may hold a revocation. */
  static async load(target: SshTarget): Promise<HostKeyRules> {
    const entries: KnownHost[] = [];
    for (const file of new Set([...target.knownHostsFiles, target.rememberIn])) {
      try {
        entries.push(...parseKnownHosts(await readFile(file, 'utf8')));
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOENT' || code === 'ENOTDIR') continue;
        throw new StackferryError(
          'esxi.known_hosts',
          `Cannot read the known hosts file ${file}: ${messageOf(error)}.`,
          {
            hint: 'Make the file readable, or pin the host key with --esxi-fingerprint.',
            cause: error,
          },
        );
      }
    }
    return new HostKeyRules(target, entries);
  }

  /** Key types to ask the host for first. */
  get preferredKeyTypes(): string[] {
    return knownKeyTypes(this.#entries, this.#target.host, this.#target.port);
  }

  decide(key: Buffer): HostKeyDecision {
    const { host, port, insecure } = this.#target;
    const seen = fingerprintOf(key);
    if (this.#accepted !== null) {
      if (this.#accepted.fingerprint === seen) return { kind: 'accept', trust: this.#accepted.trust };
      return {
        kind: 'refuse',
        error: changed(this.#target, seen, [this.#accepted.fingerprint], 'an earlier connection'),
      };
    }
    if (this.#pin !== null) {
      if (this.#pin === seen) return { kind: 'accept', trust: 'pinned' };
      return { kind: 'other-type', error: changed(this.#target, seen, [this.#pin], '--esxi-fingerprint') };
    }
    if (insecure) return { kind: 'accept', trust: 'insecure' };
    const { verdict, known } = lookUp(this.#entries, { host, port }, key);
    switch (verdict) {
      case 'match':
        return { kind: 'accept', trust: 'known' };
      case 'revoked':
        return {
          kind: 'refuse',
          error: new StackferryError(
            'esxi.host_key_revoked',
            `The host key ${seen} of ${host} is marked as revoked in a known hosts file.`,
            {
              hint: 'Do not log in: whoever holds the revoked key answers. Ask who runs the host for its new key.',
              details: { host, port, fingerprint: seen },
            },
          ),
        };
      case 'changed':
        return { kind: 'refuse', error: changed(this.#target, seen, known, 'the known hosts file') };
      case 'unknown':
        return { kind: 'ask' };
    }
  }

  /** Asks the person whether to trust a new key. Returns if they do; throws `esxi.host_key_unknown` otherwise. */
  async ask(ctx: Context, key: Buffer): Promise<void> {
    const { host, port } = this.#target;
    const fingerprint = fingerprintOf(key);
    const unknown = (message: string, cause?: unknown) =>
      new StackferryError('esxi.host_key_unknown', message, {
        hint: `Compare it with the host's own (ssh-keygen -lf on the host), then pass --esxi-fingerprint ${fingerprint}`,
        cause,
        details: { host, port, fingerprint },
      });
    let trusted: boolean;
    try {
      trusted = await ctx.events.ask({
        type: 'confirm',
        code: 'esxi.host_key',
        message: `Host key ${fingerprint} of ${host} is new. Trust it?`,
        default: false,
        option: '--esxi-fingerprint',
      });
    } catch (error) {
      if (error instanceof InterruptedError || ctx.signal.aborted) throw error;
      throw unknown(
        `Host key ${fingerprint} of ${host} is not known, and nobody can be asked whether to trust it.`,
        error,
      );
    }
    if (!trusted) throw unknown(`Host key ${fingerprint} of ${host} is not known, and was not trusted.`);
    this.#accepted = { fingerprint, trust: 'asked' };
    this.#toRemember = key;
  }

  /** Called when a handshake has proved the key: fixes it for this shell, remembers or warns as it came in. */
  async proved(ctx: Context, key: Buffer, trust: Trust): Promise<void> {
    const fingerprint = fingerprintOf(key);
    const first = this.#accepted === null;
    this.#accepted = { fingerprint, trust };
    if (first && trust === 'insecure') {
      ctx.events.emit({
        kind: 'warning',
        code: 'esxi.host_key_unverified',
        message:
          `The host key ${fingerprint} of ${this.#target.host} was not checked: ` +
          'anyone on the network path could read the password and change the disks on their way.',
        hint: `Use --esxi-fingerprint ${fingerprint} instead of --esxi-insecure once you know that it is right.`,
      });
    }
    if (this.#toRemember !== null) {
      const remembered = this.#toRemember;
      this.#toRemember = null;
      await this.#remember(ctx, remembered);
    }
  }

  /** Adds the key to the program's own file. Not being able to is no reason to stop: the person is asked again later. */
  async #remember(ctx: Context, key: Buffer): Promise<void> {
    const { host, port, rememberIn } = this.#target;
    try {
      await makeFolders(dirname(rememberIn), 0o700);
      const before = await readFile(rememberIn, 'utf8').catch(() => '');
      const gap = before === '' || before.endsWith('\n') ? '' : '\n';
      await appendFile(rememberIn, gap + knownHostLine(host, port, key), { mode: 0o600 });
      await chmod(rememberIn, 0o600);
    } catch (error) {
      ctx.events.emit({
        kind: 'warning',
        code: 'esxi.host_key_not_remembered',
        message: `The host key of ${host} could not be written to ${rememberIn}: ${messageOf(error)}.`,
        hint: 'Make the folder writable; until then the question comes again.',
      });
    }
  }
}

/** `SHA256:…` without padding. Throws a UsageError for anything else, a TLS fingerprint among it. */
function normalisePin(pin: string): string {
  const text = pin.trim().replace(/=+$/, '');
  if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(pin)} is not the fingerprint of an SSH host key.`,
      'Pass --esxi-fingerprint as ssh-keygen -l prints it: SHA256: and 43 characters.',
    );
  }
  return text;
}

function changed(target: SshTarget, seen: string, expected: readonly string[], source: string): StackferryError {
  const { host, port } = target;
  return new StackferryError(
    'esxi.host_key_changed',
    `The host key of ${host} is ${seen}, but ${source} says ${expected.join(' or ')}.`,
    {
      hint:
        'Either the host was installed anew or someone stands between. Compare with the host itself ' +
        `(ssh-keygen -lf on its console); if it is right, pass --esxi-fingerprint ${seen} or remove the old line with ` +
        `ssh-keygen -R '${port === 22 ? host : `[${host}]:${port}`}' -f FILE.`,
      details: { host, port, fingerprint: seen, expected: expected.join(',') },
    },
  );
}

/** The key's type, for the facts; a key that ssh2 accepted always has one. */
export function hostKeyTypeOf(key: Buffer): string {
  return keyTypeOfBlob(key) ?? 'unknown';
}
