import { connect } from 'node:net';
import ssh2, { type NegotiatedAlgorithms } from 'ssh2';
import { StackferryError, messageOf, throwIfAborted, type Context, whenAborted } from '../../core/index.js';
import { algorithms } from './algorithms.js';
import type { Login, LoginAttempt } from './auth.js';
import { Connection } from './connection.js';
import { Deadline } from './deadline.js';
import {
  connectionError,
  connectionLost,
  interruption,
  notSsh,
  unreachable,
  type Phase,
  type Place,
} from './failures.js';
import { hostKeyTypeOf, type HostKeyRules } from './host-key.js';
import { fingerprintOf } from './known-hosts.js';
import type { SshFacts, SshTarget } from './target.js';

/** How long each part of coming in may take: the TCP connection, the handshake, each answer to a login. */
export interface DialTimes {
  phaseMs: number;
  keepaliveMs: number;
}

export const DIAL_TIMES: DialTimes = { phaseMs: 20_000, keepaliveMs: 15_000 };
const KEEPALIVE_MISSES = 4;

export interface Dialing {
  target: SshTarget;
  place: Place;
  login: Login;
  rules: HostKeyRules;
  ctx: Context;
  times: DialTimes;
}

type Outcome =
  | { kind: 'ready'; connection: Connection }
  /** The host key is new: ask outside the handshake, then come again. */
  | { kind: 'ask'; key: Buffer }
  | { kind: 'other-type'; keyType: string; error: StackferryError }
  /** The host hung up while a person was typing; what they typed is known now. */
  | { kind: 'again' };

/** Comes in: connects, checks the host key, logs in. Asks the person where that is needed. */
export async function dial(dialing: Dialing): Promise<Connection> {
  const { login, rules, ctx } = dialing;
  const excluded: string[] = [];
  let mismatch: StackferryError | null = null;
  let repeated = false;
  for (;;) {
    throwIfAborted(ctx.signal);
    login.assertHopeful();
    let outcome: Outcome;
    try {
      outcome = await attempt(dialing, excluded);
    } catch (error) {
      // The host has no other kind of key: the mismatch it was is what counts.
      if (mismatch !== null && error instanceof StackferryError && error.code === 'esxi.legacy_algorithms') {
        throw mismatch;
      }
      throw error;
    }
    switch (outcome.kind) {
      case 'ready':
        return outcome.connection;
      case 'ask':
        await rules.ask(ctx, outcome.key);
        break;
      case 'other-type':
        mismatch ??= outcome.error;
        excluded.push(outcome.keyType);
        if (algorithms({ legacy: dialing.place.legacy, excludedKeyTypes: excluded }).serverHostKey.length === 0) {
          throw mismatch;
        }
        break;
      case 'again':
        if (repeated) throw connectionLost(dialing.place, 'the host hangs up during the login');
        repeated = true;
    }
  }
}

function attempt(dialing: Dialing, excludedKeyTypes: readonly string[]): Promise<Outcome> {
  const { target, place, login, rules, ctx, times } = dialing;
  return new Promise<Outcome>((resolve, reject) => {
    let settled = false;
    let phase: Phase = 'connecting';
    let hostKey: Buffer | null = null;
    let trust: SshFacts['hostKeyTrust'] = 'known';
    let ident = '';
    let banner: string | null = null;
    let negotiated: NegotiatedAlgorithms | null = null;
    let remembered: Promise<void> = Promise.resolve();
    let connection: Connection | null = null;
    let unwatch: () => void = () => undefined;
    const deadline = new Deadline(times.phaseMs, () => {
      fail(unreachable(place, `no answer in ${times.phaseMs / 1000} s${phase === 'connecting' ? '' : ` (${phase})`}`));
    });

    const socket = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      // Node's default of 250 ms a family gives slow paths up too early.
      autoSelectFamilyAttemptTimeout: 5000,
    });
    const client = new ssh2.Client();

    const settle = (act: () => void) => {
      if (settled) return;
      settled = true;
      deadline.stop();
      unwatch();
      act();
    };
    const hangUp = () => {
      if (phase === 'connecting') {
        socket.destroy();
        return;
      }
      client.end();
      socket.destroySoon();
      setTimeout(() => socket.destroy(), 2000).unref();
    };
    const finish = (outcome: Outcome) => {
      settle(() => {
        if (outcome.kind !== 'ready') hangUp();
        resolve(outcome);
      });
    };
    const fail = (error: Error) => {
      settle(() => {
        hangUp();
        reject(error);
      });
    };
    unwatch = whenAborted(ctx.signal, () => {
      fail(interruption(ctx.signal));
    });

    const loginAttempt: LoginAttempt = login.begin({
      fail,
      asking: (waiting) => {
        if (waiting) deadline.pause();
        else deadline.resume();
      },
    });

    client.on('error', (error: Error & { level?: string }) => {
      // One key that cannot sign is passed over by ssh2; the login goes on.
      if (error.level === 'agent' || /^Error (while )?signing/.test(error.message)) {
        ctx.log.debug('ssh key not used', { host: target.host, reason: error.message });
        return;
      }
      if (connection !== null) {
        connection.failed(error.level === 'client-timeout' ? 'the host no longer answers' : messageOf(error));
        return;
      }
      if (/too many authentication failures/i.test(error.message)) {
        void loginAttempt.refuse().then(fail, fail);
      } else if (ident !== '' && !ident.startsWith('SSH-')) {
        fail(notSsh(place, ident));
      } else if (/Connection lost before handshake/.test(error.message)) {
        fail(
          unreachable(place, 'it closed the connection at once (too many at a time, or it does not speak SSH)', error),
        );
      } else {
        fail(connectionError(place, phase, error));
      }
    });
    client.on('close', () => {
      connection?.gone();
      if (settled) return;
      if (deadline.paused) {
        // Wait for the person: what they type serves the next connection.
        deadline.whenResumed(() => {
          finish({ kind: 'again' });
        });
        return;
      }
      fail(connectionError(place, phase, new Error('the host closed it')));
    });
    client.on('connect', () => {
      phase = 'handshake';
      deadline.restart();
    });
    client.on('banner', (text) => {
      banner = text;
    });
    client.once('handshake', (algorithmsInUse) => {
      negotiated = algorithmsInUse;
      phase = 'login';
      deadline.restart();
      // Only now has the host proved that it holds the key.
      if (hostKey !== null) remembered = rules.proved(ctx, hostKey, trust);
    });
    client.on('ready', () => {
      phase = 'open';
      deadline.stop();
      const key = hostKey ?? Buffer.alloc(0);
      const facts: SshFacts = {
        hostKeyFingerprint: fingerprintOf(key),
        hostKeyType: hostKeyTypeOf(key),
        hostKeyTrust: trust,
        serverIdent: ident,
        banner,
        loginMethod: loginAttempt.succeeded(),
        cipher: negotiated?.sc.cipher ?? '',
        keyExchange: negotiated?.kex ?? '',
      };
      ctx.log.debug('ssh connected', { host: target.host, ...facts });
      const opened = new Connection(place.name, client, facts);
      connection = opened;
      remembered.then(() => {
        finish({ kind: 'ready', connection: opened });
      }, fail);
    });

    try {
      client.connect({
        sock: socket,
        username: target.user,
        readyTimeout: 0,
        keepaliveInterval: times.keepaliveMs,
        keepaliveCountMax: KEEPALIVE_MISSES,
        algorithms: algorithms({
          legacy: target.legacy,
          preferredKeyTypes: rules.preferredKeyTypes,
          excludedKeyTypes,
        }),
        hostVerifier: (key: Buffer, verify: (ok: boolean) => void) => {
          hostKey = key;
          const decision = rules.decide(key);
          switch (decision.kind) {
            case 'accept':
              trust = decision.trust;
              verify(true);
              return;
            case 'ask':
              finish({ kind: 'ask', key });
              break;
            case 'other-type':
              finish({ kind: 'other-type', keyType: hostKeyTypeOf(key), error: decision.error });
              break;
            case 'refuse':
              connection?.failed(decision.error.message);
              fail(decision.error);
          }
          verify(false);
        },
        authHandler: loginAttempt.handler,
      });
    } catch (error) {
      fail(connectionError(place, phase, error));
      return;
    }
    // ssh2 keeps the ident to itself. The socket is paused until ssh2 reads it, so this sees the same first bytes.
    let first = '';
    const readIdent = (data: Buffer) => {
      first += data.toString('latin1', 0, 4096);
      const lines = first.split(/\r?\n/);
      ident = lines.find((line) => line.startsWith('SSH-')) ?? lines[0] ?? '';
      if (ident.startsWith('SSH-') || first.length > 16_384) socket.off('data', readIdent);
    };
    socket.on('data', readIdent);
  });
}
