import type { Context } from '../core/index.js';
import type { OnChunk } from '../disk/index.js';
import { hashFile } from './file-hash.js';
import { hashImage, type GuestViewHash } from './guest-view.js';
import { qemuImg } from './qemu-img.js';

/** What an image file holds, read back by programs that had no part in writing it. */
export interface JudgedImage extends GuestViewHash {
  /** SHA-512 of the bytes of a qcow2 file; null for raw, which the content hash says all of. */
  fileSha512: string | null;
}

/**
 * Reads an image that was written here: `qemu-img check` must find nothing in a qcow2, and the hashes are of what
 * qemu-img's own reader gives. Whether they are the right ones is the caller's to say.
 * @throws StackferryError `convert.failed` for a qcow2 that is not clean; what {@link hashImage} throws.
 */
export async function judgeImage(
  path: string,
  format: 'raw' | 'qcow2',
  ctx: Context,
  options: { label: string; sha256?: boolean; onChunk?: OnChunk },
): Promise<JudgedImage> {
  if (format === 'raw') return { ...(await hashImage(path, format, ctx, options)), fileSha512: null };
  // Before the proofs: what is written to the file later, while it is proved or after, then has another digest.
  const fileSha512 = await hashFile(path, ctx, () => undefined);
  await qemuImg(['check', '-f', 'qcow2', path], ctx, { what: `check ${path}` });
  return { ...(await hashImage(path, format, ctx, options)), fileSha512 };
}
