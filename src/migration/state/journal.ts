import { open, readFile, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { StackferryError, messageOf, type Clock } from '../../core/index.js';
import { journalLineSchema, JOURNAL_VERSION, type JournalEntry, type JournalLine } from './journal-line.js';

/**
 * An append-only file of JSON lines, each flushed to the disk before `append` returns: what a line announces happens
 * only after the line is safe. One writer at a time (see lock.ts); readers may read at any moment.
 */
export class Journal {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #clock: Clock;
  readonly lines: JournalLine[];
  #tail: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle, lines: JournalLine[], clock: Clock) {
    this.#path = path;
    this.#handle = handle;
    this.lines = lines;
    this.#clock = clock;
  }

  /** Opens (or begins) the journal at `path` for appending. A torn last line of a killed writer is cut off. */
  static async open(path: string, clock: Clock): Promise<Journal> {
    const handle = await open(path, 'a+', 0o600);
    try {
      const bytes = await handle.readFile();
      const { lines, goodBytes } = parseJournal(bytes, path);
      if (goodBytes < bytes.length) await handle.truncate(goodBytes);
      return new Journal(path, handle, lines, clock);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Appends one line and waits until it is on the disk. Calls are written in the order they were made; after one that
   * failed nothing more is written, for the file may end in half a line.
   * @throws StackferryError `state.unusable` where the disk does not take it.
   */
  append(entry: JournalEntry): Promise<void> {
    // The spread loses the discriminant for the compiler; the entry came in with it.
    const line = { ...entry, at: new Date(this.#clock.now()).toISOString() };
    this.#tail = this.#tail.then(async () => {
      try {
        await this.#handle.appendFile(`${JSON.stringify(line)}\n`);
        await this.#handle.datasync();
      } catch (error) {
        throw new StackferryError(
          'state.unusable',
          `The journal ${this.#path} cannot be written: ${messageOf(error)}`,
          { hint: 'Make room on its disk, then go on with --resume.', cause: error },
        );
      }
      this.lines.push(line);
    });
    return this.#tail;
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => undefined);
    await this.#handle.close();
  }
}

/** Reads a journal without becoming its writer. */
export async function readJournal(path: string): Promise<JournalLine[]> {
  return parseJournal(await readFile(path), path).lines;
}

/** The lines of a journal, and how many bytes of it are whole lines. */
export function parseJournal(bytes: Buffer, path: string): { lines: JournalLine[]; goodBytes: number } {
  const lines: JournalLine[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break; // what follows was torn off by a crash, and its effect was never begun
    const text = bytes.subarray(start, end).toString('utf8');
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw damaged(path, lines.length + 1, 'it is not JSON');
    }
    refuseNewer(value, path);
    const parsed = journalLineSchema.safeParse(value);
    if (!parsed.success) throw damaged(path, lines.length + 1, 'it has an unknown form');
    lines.push(parsed.data);
    start = end + 1;
  }
  return { lines, goodBytes: start };
}

/** The version is looked at before the form, which a newer program may have changed. */
const opening = z.object({ kind: z.literal('run.opened'), version: z.number(), program: z.string().catch('?') });

function refuseNewer(line: unknown, path: string): void {
  const opened = opening.safeParse(line).data;
  if (!opened || opened.version <= JOURNAL_VERSION) return;
  throw new StackferryError(
    'run.newer_version',
    `The journal ${path} was written by a newer stackferry (${opened.program}).`,
    { hint: 'Use that version, or a later one, to go on with this run.' },
  );
}

/** The error of a line that is none of ours any more. */
export function damaged(path: string, line: number, why: string): StackferryError {
  return new StackferryError('run.journal_damaged', `Line ${line} of the journal ${path} cannot be read: ${why}.`, {
    hint: 'Nothing was changed. Look at that line; what the run made carries its id as stackferry_run in the cloud.',
  });
}
