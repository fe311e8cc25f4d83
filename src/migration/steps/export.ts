import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatBytes } from '../../core/index.js';
import { hashImage, type GuestViewHash } from '../../convert/index.js';
import { diskFolder } from '../../esxi/export/index.js';
import { beginReading } from './reading.js';
import { sourceDisks, readSourceFiles } from './source.js';
import { needSection, type RunContext, type Step } from './step.js';

export const exportResult = z.object({
  label: z.string(),
  /** Absolute path of the newest descriptor here. */
  path: z.string(),
  kind: z.string(),
  capacity_bytes: z.number(),
  bytes: z.number(),
  content_hash: z.string().nullable(),
  sha256: z.string().nullable(),
  files: z.array(z.object({ path: z.string(), bytes: z.number() })),
});
export type ExportResult = z.infer<typeof exportResult>;

/** Copies one disk's files from the host, proved chunk by chunk. */
export function exportStep(state: RunContext['state'], label: string): Step {
  const source = needSection(state, 'source');
  return {
    key: `export:${label}`,
    kind: 'export',
    subject: `disk ${label} of ${source.vm.name}`,
    needs: ['source'],
    holds: async (_rc, result) => {
      const parsed = exportResult.safeParse(result);
      return parsed.success && (await filesStand(parsed.data.files));
    },
    preview: () => {
      const disk = source.vm.disks.find((item) => item.label === label);
      const path = join(source.outputDir, diskFolder(label));
      const body = `the files of ${disk?.chain.join(', ') ?? label}, ${formatBytes(disk?.allocated_bytes ?? disk?.capacity_bytes ?? 0)} held`;
      return Promise.resolve([{ step: `export:${label}`, service: 'local', method: 'WRITE', path, body }]);
    },
    run: async (rc) => {
      const plan = await sourceDisks(rc);
      const disk = plan.disks.find((item) => item.label === label);
      if (!disk) throw new Error(`no plan for disk ${label}`);
      const reading = await beginReading(rc, disk);
      const { sha256, trustMap } = rc.settings;
      const options = { streams: 4, ...reading.options, sha256, trustMap };
      const copied = await readSourceFiles(rc, () => disk.copy(source.outputDir, rc.ctx, options)).finally(() =>
        reading.end(),
      );
      // The guest's view of a chain is in no single file: qemu reads its links as one disk, after each was checked.
      const hashed = copied.contentHash === null ? await hashChain(rc, copied.descriptorPath, label) : null;
      const result: ExportResult = {
        label,
        path: copied.descriptorPath,
        kind: copied.kind,
        capacity_bytes: copied.capacityBytes,
        bytes: copied.bytes,
        content_hash: hashed?.contentHash ?? copied.contentHash,
        sha256: hashed?.sha256 ?? copied.sha256,
        files: copied.files.map((file) => ({ path: file.path, bytes: file.bytes })),
      };
      return { result, summary: `${formatBytes(copied.copiedBytes)} read, ${formatBytes(copied.bytes)} proved` };
    },
  };
}

function hashChain(rc: RunContext, path: string, label: string): Promise<GuestViewHash> {
  return hashImage(path, 'vmdk', rc.ctx, { label: `hash ${label}`, sha256: rc.settings.sha256 });
}

/** Whether all files are still there with their sizes, and with their times where those are known. */
export async function filesStand(
  files: readonly { path: string; bytes: number; mtime_ms?: number | null }[],
): Promise<boolean> {
  for (const file of files) {
    try {
      const { size, mtimeMs } = await stat(file.path);
      if (size !== file.bytes || mtimeMs !== (file.mtime_ms ?? mtimeMs)) return false;
    } catch {
      return false;
    }
  }
  return true;
}
