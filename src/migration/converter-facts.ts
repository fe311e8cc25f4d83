import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InterruptedError, StackferryError, isCode, messageOf, systemCode, type Context } from '../core/index.js';
import { assertQemuNbd, qemuFormats, qemuImgVersion } from '../convert/index.js';
import { freeBytes } from '../disk/index.js';
import type { Cloud } from '../openstack/index.js';
import { resolveVia } from './plan/resolve-via.js';

/** This machine, as far as a migration uses it. */
export interface ConverterFacts {
  /** `v20.18.0` */
  node: string;
  /** `7.2.22`; null where it does not run. */
  qemuImg: string | null;
  /** Those that qemu-img lists; empty where it does not say. */
  formats: string[];
  /** Why qemu-img or qemu-nbd cannot be used. */
  problems: Problem[];
  /** Why no volume can be attached to it, where that is asked for. */
  attach?: Problem;
  staging: {
    /** Where disks are staged. */
    dir: string;
    /** Null where the file system does not say, or where it cannot be written. */
    freeBytes: number | null;
    /** Why it cannot be written. */
    problem: Problem | null;
  };
}

export interface Problem {
  code: string;
  message: string;
  hint: string;
}

/** Looks at this machine. Writes nothing. */
export async function readConverterFacts(ctx: Context, stagingDir: string): Promise<ConverterFacts> {
  const problems: Problem[] = [];
  const qemuImg = await attempt(() => qemuImgVersion(ctx), problems);
  const formats = qemuImg === null ? [] : ((await attempt(() => qemuFormats(ctx), problems)) ?? []);
  await attempt(() => assertQemuNbd(ctx), problems);
  const unwritable: Problem[] = [];
  const free = await attempt(() => roomUnder(stagingDir), unwritable);
  return {
    node: process.version,
    qemuImg,
    formats,
    problems,
    staging: { dir: stagingDir, freeBytes: free === Infinity ? null : free, problem: unwritable[0] ?? null },
  };
}

/** Why `--via cinder` cannot be done from this machine; null where it can. Attaches nothing. */
export async function attachProblem(cloud: Cloud, ctx: Context): Promise<Problem | null> {
  try {
    await resolveVia('cinder', true, { cloud, ctx });
    return null;
  } catch (error) {
    if (!isCode(error, 'converter.no_attach')) throw error;
    return { code: error.code, message: error.message, hint: error.hint ?? '' };
  }
}

async function attempt<T>(look: () => Promise<T>, problems: Problem[]): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof StackferryError) || error instanceof InterruptedError) throw error;
    problems.push({ code: error.code, message: error.message, hint: error.hint ?? '' });
    return null;
  }
}

/**
 * Bytes free under the folder where disks are staged, which is made when it is needed and is not there before; Infinity
 * where the file system does not say. Throws `file.unwritable` where it could not be made or written.
 */
export async function roomUnder(dir: string, hint = STAGING_HINT): Promise<number> {
  for (let path = dir; ; path = dirname(path)) {
    try {
      await access(path, constants.W_OK | constants.X_OK);
      return await freeBytes(dir);
    } catch (error) {
      if (error instanceof StackferryError) throw error;
      if (systemCode(error) !== 'ENOENT' || path === dirname(path)) {
        throw new StackferryError('file.unwritable', `${dir} cannot be made or written: ${messageOf(error)}`, {
          hint,
          cause: error,
        });
      }
    }
  }
}

export const STAGING_HINT = 'Set STACKFERRY_STATE_DIR to a folder of your own on a disk with room.';
