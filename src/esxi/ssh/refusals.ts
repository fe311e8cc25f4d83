import { createHash, randomBytes } from 'node:crypto';
import { throwIfAborted } from '../../core/index.js';

/*
 * What this process knows of logins, over all its shells: five wrong ones lock an ESXi account for 15 minutes, so a
 * refused login is never sent again, and logins to one account go one after another: the second may learn from the
 * first. Credentials are kept as salted digests only.
 */

const salt = randomBytes(32);
const refused = new Set<string>();
const lanes = new Map<string, Promise<unknown>>();

function digest(account: string, credential: string): string {
  return createHash('sha256')
    .update(salt)
    .update(JSON.stringify([account, credential]))
    .digest('base64');
}

/** Remembers that `account` (`root@esx1:22`) did not come in with this credential. */
export function rememberRefusal(account: string, credential: string): void {
  refused.add(digest(account, credential));
}

/** Whether `account` was refused with this very credential before. */
export function wasRefused(account: string, credential: string): boolean {
  return refused.has(digest(account, credential));
}

/** Runs `work` when every earlier login to `account` has ended. */
export async function inTurn<T>(account: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = lanes.get(account) ?? Promise.resolve();
  const mine = before.then(() => {
    throwIfAborted(signal);
    return work();
  });
  const settled = mine.then(
    () => undefined,
    () => undefined,
  );
  lanes.set(account, settled);
  try {
    return await mine;
  } finally {
    if (lanes.get(account) === settled) lanes.delete(account);
  }
}
