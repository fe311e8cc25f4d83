import { InterruptedError, StackferryError, messageOf, systemCode } from '../../core/index.js';

const ENABLE_SSH =
  'Turn SSH on at the host: Host > Actions > Services > Enable Secure Shell (SSH), and check address, port ' +
  '(--esxi-ssh-port) and the firewalls between.';

/** Where a failure happened, for its message. */
export interface Place {
  /** `root@esx1:22` */
  name: string;
  host: string;
  port: number;
  legacy: boolean;
}

/** What had been reached when the connection failed. */
export type Phase = 'connecting' | 'handshake' | 'login' | 'open';

/** Turns what ssh2 or the socket reported into an error a person can act on. */
export function connectionError(place: Place, phase: Phase, error: unknown): StackferryError {
  if (error instanceof StackferryError) return error;
  const { host, port } = place;
  const code = systemCode(error);
  const why = messageOf(error);
  const details = { host, port };

  if (/no matching (?!C->S compression|S->C compression)/.test(why)) return negotiationError(place, why, error);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NONAME') {
    return new StackferryError('esxi.name_unknown', `The name ${host} could not be resolved (${code}).`, {
      hint: 'Check the spelling of --esxi and the name servers, or give the address.',
      cause: error,
      details,
    });
  }
  if (phase === 'connecting') {
    if (code === 'ECONNREFUSED') {
      return new StackferryError('host.no_ssh', `${host} refuses connections on port ${port}: SSH is off there.`, {
        hint: ENABLE_SSH,
        cause: error,
        details,
      });
    }
    return unreachable(place, code ?? why, error);
  }
  if (phase === 'login' && /too many authentication failures/i.test(why)) {
    return loginRefused(place, 'too many tries for one connection', error);
  }
  if (phase === 'handshake') {
    return unreachable(place, `the SSH handshake failed: ${why}`, error);
  }
  return connectionLost(place, phase === 'login' ? `during the login: ${why}` : why, error);
}

/** Nothing answers, or not in time. */
export function unreachable(place: Place, why: string, cause?: unknown): StackferryError {
  return new StackferryError('esxi.unreachable', `Cannot reach SSH on ${place.host} port ${place.port}: ${why}.`, {
    hint: ENABLE_SSH,
    cause,
    details: { host: place.host, port: place.port },
  });
}

/** Something answers, and it is not SSH. */
export function notSsh(place: Place, first: string): StackferryError {
  return new StackferryError(
    'host.no_ssh',
    `Port ${place.port} of ${place.host} does not speak SSH: it says ${JSON.stringify(first.slice(0, 60))}.`,
    { hint: `Give SSH's port with --esxi-ssh-port. ${ENABLE_SSH}`, details: { host: place.host, port: place.port } },
  );
}

export function connectionLost(place: { name: string }, why: string, cause?: unknown): StackferryError {
  return new StackferryError('esxi.connection_lost', `The SSH connection to ${place.name} was lost: ${why}.`, {
    hint: 'Check the network and the host, then run the same again: what is proved is not copied twice.',
    cause,
  });
}

/** The host said no to everything that was offered. `why` says what was. */
export function loginRefused(place: Place, why: string, cause?: unknown, hint?: string): StackferryError {
  return new StackferryError('esxi.login_refused', `${place.name} refused the login: ${why}.`, {
    hint:
      hint ??
      'Check user and password (--esxi-user, STACKFERRY_ESXI_PASSWORD) or the key (--esxi-key). This login is not ' +
        'tried again: ESXi locks an account for 15 minutes after five failed logins.',
    cause,
    details: { host: place.host, port: place.port },
  });
}

/** No algorithm in common. Only an old host fails so against today's; the legacy option then helps. */
function negotiationError(place: Place, why: string, cause: unknown): StackferryError {
  const what = /no matching (.*)$/.exec(why)?.[1] ?? 'algorithm';
  return new StackferryError(
    'esxi.legacy_algorithms',
    `${place.host} and this program have no ${what} in common${place.legacy ? ', old ones included' : ''}.`,
    {
      hint: place.legacy
        ? 'Update the host, or allow it a current algorithm in its sshd_config.'
        : 'If the host is an old one (ESXi 6.0 and before), add --esxi-legacy-ssh: it allows algorithms that are broken today.',
      cause,
      details: { host: place.host, port: place.port, missing: what },
    },
  );
}

/** What to reject with when this signal has fired. */
export function interruption(signal: AbortSignal): StackferryError {
  return signal.reason instanceof StackferryError ? signal.reason : new InterruptedError();
}
