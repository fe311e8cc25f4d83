import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { StackferryError, makeFolders, messageOf, orNothing } from '../../core/index.js';
import { isAlive, thisProcess } from './process.js';

/**
 * Who reads from a host now: a file `PID.STARTED.WORD` for each disk that is being read, in one folder for the host. It
 * says what limits its reader was given. Nobody has to be asked: each reader counts the others. The name says whose it
 * is, so that of a process that was killed counts no more and is removed by whoever looks next.
 */

/** What the reader of a disk was told to keep to; bytes a second, null: no limit. */
const claimSchema = z.object({
  /** Of all that is read from the host. */
  bandwidth: z.number().positive().nullable(),
  /** The datastores on which the disk lies, each with the limit of what is read from it. */
  datastores: z.record(z.string(), z.number().positive().nullable()),
});
export type ReaderClaim = z.infer<typeof claimSchema>;

/** A reader of whom nothing but its being there is known. */
const NO_CLAIM: ReaderClaim = { bandwidth: null, datastores: {} };

/** The folder of a host's readers in the state folder. Accounts do not count: the host is one. */
export function readersFolder(stateDir: string, { host, port }: { host: string; port: number }): string {
  const name = createHash('sha256').update(`${host.toLowerCase()}:${port}`).digest('hex').slice(0, 16);
  return join(stateDir, 'readers', name);
}

/** A reader's place among the readers of a host; `leave` is safe to call twice. */
export interface ReaderPlace {
  /** The others that read from the host now. */
  others(): Promise<ReaderClaim[]>;
  leave(): Promise<void>;
}

/**
 * Takes a place among the readers of a host.
 * @throws StackferryError `state.unusable` where the folder cannot be written to.
 */
export async function joinReaders(folder: string, claim: ReaderClaim): Promise<ReaderPlace> {
  const { pid, started } = await thisProcess();
  const name = `${pid}.${started}.${randomBytes(4).toString('hex')}`;
  const own = join(folder, name);
  try {
    await makeFolders(folder, 0o700);
    // One that a crash left half written is there all the same; a name of its own for the time would stay behind.
    await writeFile(own, JSON.stringify(claim), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new StackferryError('state.unusable', `The state directory cannot be used: ${own}: ${messageOf(error)}`, {
      hint: 'Set STACKFERRY_STATE_DIR to a folder of yours on a disk with room.',
      cause: error,
    });
  }
  return { others: () => claimsIn(folder, name), leave: () => rm(own, { force: true }) };
}

async function claimsIn(folder: string, own: string): Promise<ReaderClaim[]> {
  const claims: ReaderClaim[] = [];
  for (const name of (await orNothing(readdir(folder))) ?? []) {
    const match = /^(\d{1,10})\.(\d{1,20})\.[0-9a-f]{8}$/.exec(name);
    if (name === own || !match?.[1] || !match[2]) continue;
    const path = join(folder, name);
    if (await isAlive({ pid: Number(match[1]), started: match[2] })) claims.push(await claimAt(path));
    else await rm(path, { force: true });
  }
  return claims;
}

/** One that cannot be read is there all the same: it takes its share, and says nothing of limits. */
async function claimAt(path: string): Promise<ReaderClaim> {
  try {
    return claimSchema.catch(NO_CLAIM).parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return NO_CLAIM;
  }
}
