import {
  InterruptedError,
  StackferryError,
  UsageError,
  formatBytes,
  throwIfAborted,
  type Context,
} from '../../core/index.js';
import type { ChunkMarks } from '../../disk/index.js';

/** What a look at one copy of a disk has come to. */
export interface Check {
  run: string | null;
  vm: string | null;
  label: string | null;
  side: 'source' | 'target' | 'file';
  /** For a person: "image 4f…", the path of a file. */
  object: string;
  /**
   * `equal` and `differs`: it was read whole and compared. `read`: there was nothing to compare it with. `not_verified`:
   * it cannot be read from here, or is no copy any more. `failed`: reading it went wrong.
   */
  state: 'equal' | 'differs' | 'read' | 'not_verified' | 'failed';
  /** `verify.differs`, `verify.not_verified`, or that of the error. */
  code: string | null;
  format: string | null;
  capacity_bytes: number | null;
  content_hash: string | null;
  expected_hash: string | null;
  /** Which digests were compared. */
  compared: string | null;
  /** The first chunk, or 64 chunks, that differ, where that is known. */
  first_difference: { offset_bytes: number; length_bytes: number } | null;
  reason: string | null;
  hint: string | null;
}

/** Which copy is looked at. */
export type Subject = Pick<Check, 'run' | 'vm' | 'label' | 'side' | 'object'>;

/** A disk as it was read just now. */
export interface Reading {
  capacityBytes: number;
  /** `sha256-4m:…`; null where the bytes read do not show the disk. */
  contentHash: string | null;
  marks: ChunkMarks | null;
  format?: string;
}

/** What it should be. */
export interface Expected {
  contentHash: string | null;
  /** What is known of its chunks. */
  marks: ChunkMarks | null;
}

const NOTHING = {
  code: null,
  format: null,
  capacity_bytes: null,
  content_hash: null,
  expected_hash: null,
  compared: null,
  first_difference: null,
  reason: null,
  hint: null,
};

/** Compares content hashes; where they differ, the manifest's digests say where first. */
export function compared(subject: Subject, reading: Reading, expected: Expected): Check {
  const { contentHash, capacityBytes } = reading;
  const check: Check = {
    ...subject,
    ...NOTHING,
    state: 'read',
    format: reading.format ?? null,
    capacity_bytes: capacityBytes,
    content_hash: contentHash,
    expected_hash: expected.contentHash,
  };
  if (contentHash === null || expected.contentHash === null) return check;
  if (contentHash === expected.contentHash) return { ...check, state: 'equal', compared: 'content hash' };
  const range = reading.marks && expected.marks ? expected.marks.firstDifference(reading.marks) : null;
  const sized = expected.marks !== null && expected.marks.capacityBytes !== capacityBytes;
  const where = range
    ? `${formatBytes(range.length)} from byte ${range.offset} on are the first that differ`
    : sized
      ? `it has ${capacityBytes} bytes, and the disk ${expected.marks?.capacityBytes ?? 0}`
      : 'where is not known: there are no digests of its chunks to compare';
  return differs(check, where, range && { offset_bytes: range.offset, length_bytes: range.length });
}

/** The same check, as one whose bytes are not the expected ones. */
export function differs(check: Check, reason: string, where: Check['first_difference'] = null): Check {
  return {
    ...check,
    state: 'differs',
    code: 'verify.differs',
    compared: check.compared ?? 'content hash',
    first_difference: where,
    reason,
    hint:
      check.side === 'source'
        ? 'If nobody used the VM since, look at the disk and the datastore; undo the run and move it again: stackferry rollback'
        : 'Do not use it. Undo the run and begin anew (stackferry rollback), and look at the storage that it lies on.',
  };
}

/** Nothing was read, and nobody may take it for proved. */
export function notVerified(subject: Subject, reason: string, hint: string): Check {
  return { ...subject, ...NOTHING, state: 'not_verified', code: 'verify.not_verified', reason, hint };
}

/** Runs one check; an error of it is its result, so that the others are made all the same. */
export async function guarded(ctx: Context, subject: Subject, work: () => Promise<Check>): Promise<Check> {
  throwIfAborted(ctx.signal);
  try {
    return await work();
  } catch (error) {
    throwIfAborted(ctx.signal);
    if (error instanceof InterruptedError || error instanceof UsageError) throw error;
    if (!(error instanceof StackferryError)) throw error;
    const { code, message: reason, hint = null } = error;
    return { ...subject, ...NOTHING, state: 'failed', code, reason, hint };
  }
}
