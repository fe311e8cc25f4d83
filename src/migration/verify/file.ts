import { stat } from 'node:fs/promises';
import { isCode, type Context } from '../../core/index.js';
import { hashImage, judgeImage, type SourceFormat } from '../../convert/index.js';
import { ChunkMarks } from '../../disk/index.js';
import { compared, differs, notVerified, type Check, type Expected, type Reading, type Subject } from './check.js';

/** A file that a run made, as its journal has it. */
export interface MadeFile {
  path: string;
  format: 'raw' | 'qcow2' | 'vmdk';
  capacityBytes: number;
  /** Of the bytes of a qcow2 as they were proved. */
  fileSha512: string | null;
}

/** Reads a file of a run again: what its guest would see, and of a qcow2 also each of its bytes. */
export async function checkMadeFile(
  ctx: Context,
  made: MadeFile,
  subject: Subject,
  expected: Expected,
): Promise<Check> {
  const { path, format, capacityBytes } = made;
  if (!(await isThere(path))) {
    return notVerified(
      subject,
      'the file is no longer there',
      'It was moved or removed: verify it where it is now, by its path.',
    );
  }
  const marks = new ChunkMarks(capacityBytes);
  const options = {
    label: `read ${path}`,
    onChunk: (index: number, digest: Buffer) => {
      if (index < marks.chunks) marks.note(index, digest);
    },
  };
  try {
    const seen =
      format === 'vmdk'
        ? { ...(await hashImage(path, format, ctx, options)), fileSha512: null }
        : await judgeImage(path, format, ctx, options);
    marks.noteRest();
    const reading: Reading = { capacityBytes: seen.bytes, contentHash: seen.contentHash, marks, format };
    const check = compared(subject, reading, expected);
    if (check.state !== 'equal' || made.fileSha512 === null) return check;
    if (seen.fileSha512 === made.fileSha512) return { ...check, compared: 'content hash, sha512 of the file' };
    const why = 'its bytes are not those that were proved, though its guest would see the same disk';
    return differs({ ...check, compared: 'sha512 of the file' }, why);
  } catch (error) {
    // qemu-img finds it damaged, or not of this format any more.
    if (!isCode(error, 'convert')) throw error;
    return differs(
      compared(subject, { capacityBytes, contentHash: null, marks: null, format }, expected),
      error.message,
    );
  }
}

/** Any disk image on this machine, read whole as its guest sees it. */
export async function readFileDisk(ctx: Context, path: string, format?: SourceFormat): Promise<Reading> {
  let marks = null as ChunkMarks | null;
  const seen = await hashImage(path, format, ctx, {
    label: `read ${path}`,
    onOpen: (capacityBytes) => {
      marks = new ChunkMarks(capacityBytes);
    },
    onChunk: (index, digest) => marks?.note(index, digest),
  });
  marks?.noteRest();
  return { capacityBytes: seen.bytes, contentHash: seen.contentHash, marks, format: seen.format };
}

export function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}
