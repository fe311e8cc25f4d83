import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatBytes } from '../../core/index.js';
import { convertImage, type ConvertedImage } from '../../convert/index.js';
import { exportResult, filesStand } from './export.js';
import { ManifestNotes } from './manifest.js';
import { needSection, type RunContext, type Step } from './step.js';

export const convertResult = z.object({
  label: z.string(),
  path: z.string(),
  format: z.enum(['raw', 'qcow2']),
  capacity_bytes: z.number(),
  bytes: z.number(),
  content_hash: z.string(),
  sha256: z.string().nullable(),
  /** Of the file, as it was when it was proved; another one means that somebody wrote to it. */
  mtime_ms: z.number().nullable().default(null),
  /** Of a qcow2's bytes as they were proved; null for raw (whose content hash says it) and in older journals. */
  file_sha512: z.string().nullable().default(null),
  /** Read from the host for it; null where it was made of exported files. */
  read_bytes: z.number().nullable().default(null),
});
export type ConvertResult = z.infer<typeof convertResult>;

/** Where `convert --run … --output DIR` wants the images; beside the export otherwise. */
function convertDir(state: RunContext['state']): string | undefined {
  return z.string().safeParse(state.plan.get('convert_dir')).data;
}

export function imagePath(
  state: RunContext['state'],
  outputDir: string,
  label: string,
  format: 'raw' | 'qcow2',
): string {
  return join(convertDir(state) ?? outputDir, `${label.replace(':', '-')}.${format}`);
}

/** Makes the image that is uploaded, and proves that it holds what was exported. */
export function convertStep(state: RunContext['state'], label: string): Step {
  const source = needSection(state, 'source');
  return {
    key: `convert:${label}`,
    kind: 'convert',
    subject: `disk ${label} of ${source.vm.name}`,
    needs: [`export:${label}`],
    holds: async (_rc, result) => {
      const parsed = convertResult.safeParse(result);
      return parsed.success && (await filesStand([parsed.data]));
    },
    preview: (rc) => {
      const format = needSection(rc.state, 'images').find((item) => item.label === label)?.format ?? 'raw';
      const path = imagePath(rc.state, source.outputDir, label, format);
      const body = `${format} image of ${label}, made and compared by qemu-img`;
      return Promise.resolve([{ step: `convert:${label}`, service: 'local', method: 'WRITE', path, body }]);
    },
    run: async (rc) => {
      const exported = exportResult.parse(rc.state.steps.get(`export:${label}`)?.result);
      const image = needSection(rc.state, 'images').find((item) => item.label === label);
      if (!image) throw new Error(`no image planned for disk ${label}`);
      const notes = new ManifestNotes(rc, label, {
        capacityBytes: exported.capacity_bytes,
        source: exported.content_hash ?? exported.path,
        target: label,
      });
      const converted = await convertImage({
        source: exported.path,
        sourceFormat: 'vmdk',
        outputPath: imagePath(rc.state, source.outputDir, label, image.format),
        outputFormat: image.format,
        compress: rc.settings.compress && image.format === 'qcow2',
        sha256: rc.settings.sha256,
        expectedContentHash: exported.content_hash,
        force: rc.settings.force,
        replace: source.ownDir && convertDir(rc.state) === undefined,
        onChunk: notes.note,
        ctx: rc.ctx,
      });
      // What was made before was not hashed now, and has the manifest of then.
      if (!converted.reused) await notes.keep();
      const { mtimeMs } = await stat(converted.path);
      const result: ConvertResult = { ...convertResultOf(label, converted), mtime_ms: mtimeMs };
      return { result, summary: `${image.format}, ${formatBytes(converted.bytes)}, equal to the export` };
    },
  };
}

/** A converted image as the journal and the contract have it. */
export function convertResultOf(label: string, converted: ConvertedImage): Omit<ConvertResult, 'mtime_ms'> {
  return {
    label,
    path: converted.path,
    format: converted.format,
    capacity_bytes: converted.capacityBytes,
    bytes: converted.bytes,
    content_hash: converted.contentHash,
    sha256: converted.sha256,
    file_sha512: converted.fileSha512,
    read_bytes: null,
  };
}
