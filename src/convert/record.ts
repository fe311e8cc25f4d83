import { lstat, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { writeError } from '../disk/index.js';
import type { SourceFile } from './source.js';

const fileSchema = z.object({ path: z.string(), bytes: z.number(), mtime_ms: z.number() });

const recordSchema = z.object({
  version: z.literal(1),
  source: z.array(fileSchema),
  output: z.object({ bytes: z.number(), mtime_ms: z.number() }),
  format: z.enum(['raw', 'qcow2']),
  compress: z.boolean(),
  capacity_bytes: z.number(),
  content_hash: z.string().regex(/^sha256-4m:[0-9a-f]{64}$/),
  sha256: z.string().nullable(),
  /** Of the bytes of a qcow2, whose content hash tells nothing of how they lie in the file; null in older records. */
  file_sha512: z
    .string()
    .regex(/^[0-9a-f]{128}$/)
    .nullable()
    .default(null),
});

/** What was made of what, beside the output as `.NAME.convert.json`, so that it need not be made twice. */
export type ConversionRecord = z.infer<typeof recordSchema>;

function recordPath(output: string): string {
  return join(dirname(output), `.${basename(output)}.convert.json`);
}

/** Null where there is none that can be read. */
export async function readRecord(output: string): Promise<ConversionRecord | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordPath(output), 'utf8')));
  } catch {
    return null;
  }
}

export async function writeRecord(output: string, record: ConversionRecord): Promise<void> {
  const path = recordPath(output);
  try {
    const file = await open(`${path}.part`, 'w');
    await file
      .writeFile(`${JSON.stringify(record)}\n`)
      .then(() => file.sync())
      .finally(() => file.close());
    await rename(`${path}.part`, path);
  } catch (error) {
    throw await writeError(path, 0, error);
  }
}

export function recordedSource(files: readonly SourceFile[]): ConversionRecord['source'] {
  return files.map(({ path, bytes, mtimeMs }) => ({ path, bytes, mtime_ms: mtimeMs }));
}

export function sameSource(a: ConversionRecord['source'], b: ConversionRecord['source']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** True where the file at `output` has the size and time that the record says. */
export async function isUntouched(output: string, record: ConversionRecord): Promise<boolean> {
  const stats = await lstat(output).catch(() => null);
  return stats?.isFile() === true && stats.size === record.output.bytes && stats.mtimeMs === record.output.mtime_ms;
}
