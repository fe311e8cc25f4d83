import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { GIB, StackferryError, formatBytes, throwIfAborted } from '../../core/index.js';
import { ChunkManifest, fillTarget, targetDiffers, type Filled } from '../../disk/index.js';
import type { VolumeTarget } from '../../openstack/attach/index.js';
import type { ImageSection } from '../plan/sections.js';
import { doorOf, endAttachments, withVolume } from './attached-volume.js';
import { manifestPath } from './manifest.js';
import { ratesText, withProgress } from './progress.js';
import { readBack } from './read-back.js';
import { openDisk } from './reading.js';
import { readSourceFiles } from './source.js';
import { readingToken } from './source-state.js';
import { madeBy, needSection, placeholder, type PlannedCall, type RunContext, type Step } from './step.js';
import { blankSection } from './transfer.js';
import { volumeResult } from './volume.js';

export const dataResult = z.object({
  label: z.string(),
  volume_id: z.string(),
  /** Which machine wrote: a server of the cloud, or one that reaches the storage. */
  door: z.enum(['server', 'backend']),
  /** Of the disk, read back from the volume and equal to what was read of the source. */
  content_hash: z.string(),
  capacity_bytes: z.number(),
  /** Read from the host by the session that ended it. */
  read_bytes: z.number(),
  /** Written by earlier sessions and proved to be there. */
  kept_bytes: z.number(),
});
export type DataResult = z.infer<typeof dataResult>;

const blank = z.object({ volume_id: z.string(), source: z.string() });

/** The disk of a volume, from the host onto the volume at this machine: written, read back, compared, and let go. */
export function dataStep(state: RunContext['state'], label: string): Step {
  const key = `data:${label}`;
  const volume = needSection(state, 'volumes').find((item) => item.label === label);
  if (!volume) throw new Error(`no volume planned for ${label}`);
  return {
    key,
    kind: 'data',
    subject: `disk ${label} into volume ${volume.name}`,
    needs: ['source', `volume:${label}`],
    holds: async (rc, result) => {
      const parsed = dataResult.safeParse(result);
      if (!parsed.success || volumeIdOf(rc, label) !== parsed.data.volume_id) return false;
      const there = await (await rc.cloud()).volumes.find(parsed.data.volume_id);
      return there !== undefined && !there.status.startsWith('error');
    },
    run: async (rc) => {
      const cloud = await rc.cloud();
      const id = volumeIdOf(rc, label);
      if (id === null) throw new Error(`run ${rc.run} has no volume for ${label}`);
      await endAttachments(rc, cloud, key, id);
      await cloud.volumes.waitAvailable(id, { timeoutMs: rc.settings.timeouts.volumeMs, option: '--timeout-volume' });
      const door = doorOf(rc, cloud);
      const filled = await withVolume(
        rc,
        door,
        { key, id, name: volume.name, bytes: volume.size_gib * GIB },
        (target) => fill(rc, label, id, target),
      );
      const image = needSection(rc.state, 'images').find((item) => item.label === label);
      await cloud.volumes.waitAvailable(id, { timeoutMs: rc.settings.timeouts.volumeMs, option: '--timeout-volume' });
      await cloud.volumes.setImageMetadata(id, imageMetadata(image));
      await cloud.volumes.setBootable(id, volume.boot);
      const result: DataResult = {
        label,
        volume_id: id,
        door: door.kind,
        content_hash: filled.contentHash,
        capacity_bytes: filled.capacityBytes,
        read_bytes: filled.readBytes,
        kept_bytes: filled.keptBytes,
      };
      const kept = filled.keptBytes === 0 ? '' : `${formatBytes(filled.keptBytes)} there from before, `;
      const rates = ratesText({ ...filled, capacityBytes: filled.capacityBytes - filled.keptBytes });
      return { result, summary: `${formatBytes(filled.readBytes)} read and written, ${kept}read back equal${rates}` };
    },
    preview: (rc) => preview(rc, key, label, volume.boot),
    undo: async (rc) => {
      const cloud = await rc.cloud();
      for (const { id } of madeBy(rc.state, `volume:${label}`, 'volume')) {
        if (id !== null) await endAttachments(rc, cloud, key, id);
      }
      await rm(manifestPath(rc, label), { force: true });
    },
  };
}

/** The volume that the volume step made; null where it is not there yet. */
function volumeIdOf(rc: RunContext, label: string): string | null {
  return volumeResult.safeParse(rc.state.steps.get(`volume:${label}`)?.result).data?.volume_id ?? null;
}

interface FilledVolume extends Filled {
  capacityBytes: number;
  /** That reading and writing took, the proof not counted. */
  seconds: number;
}

/** Writes what holds data, makes zeros of the rest where it is not known to be, and compares what is there. */
async function fill(rc: RunContext, label: string, id: string, target: VolumeTarget): Promise<FilledVolume> {
  const { plan, data, read } = await openDisk(rc, label);
  const { capacityBytes } = plan;
  if (capacityBytes > target.bytes) {
    throw new StackferryError(
      'disk.too_large',
      `Disk ${label} has ${capacityBytes} bytes, and its volume ${target.bytes}.`,
      {
        hint: 'The disk has grown since the volume was made: undo the run and begin anew.',
      },
    );
  }
  const source = readingToken(plan, data);
  const isBlank = await knownBlank(rc, label, { volume_id: id, source }, target);
  const writing = { task: `data:${label}`, label: `write ${target.name}`, total: data.bytes };
  const start = rc.ctx.clock.now();
  const filled = await withProgress(rc, writing, async (onBytes) => {
    const manifest = await ChunkManifest.open(manifestPath(rc, label), { capacityBytes, source, target: id });
    try {
      const request = { capacityBytes, data, read, target, isBlank, manifest, ctx: rc.ctx, onBytes };
      const done = await readSourceFiles(rc, () => fillTarget(request));
      if (!isBlank) await target.zero(capacityBytes, target.bytes - capacityBytes);
      return done;
    } finally {
      await manifest.close();
    }
  });
  const seconds = (rc.ctx.clock.now() - start) / 1000;
  throwIfAborted(rc.ctx.signal);
  await target.forget();
  const proving = { task: `proof:${label}`, label: `read ${target.name} back`, total: data.bytes };
  const hash = await withProgress(rc, proving, (onBytes) =>
    readBack(target, { capacityBytes, data, signal: rc.ctx.signal, onBytes }),
  );
  if (hash !== filled.contentHash) throw targetDiffers(target.name);
  return { ...filled, capacityBytes, seconds };
}

/**
 * Whether the volume reads as zeros where this run has not written: it had no block stored when it came, and all that was
 * written since is of this state of the source. Cinder promises no zeros: a thick LVM volume holds what was there before.
 */
async function knownBlank(
  rc: RunContext,
  label: string,
  now: z.infer<typeof blank>,
  target: VolumeTarget,
): Promise<boolean> {
  if (target.isUntouched) {
    await rc.record({ kind: 'plan', section: blankSection(label), value: now });
    return true;
  }
  const before = blank.safeParse(rc.state.plan.get(blankSection(label))).data;
  return before?.volume_id === now.volume_id && before.source === now.source;
}

/** What Cinder would have copied from the image. */
function imageMetadata(image: ImageSection | undefined): Record<string, string> {
  return image ? { ...image.properties, min_disk: String(image.min_disk_gib) } : {};
}

async function preview(rc: RunContext, key: string, label: string, boot: boolean): Promise<PlannedCall[]> {
  const { requests } = await rc.cloud();
  const { server_id: server } = needSection(rc.state, 'via');
  const id = volumeIdOf(rc, label) ?? placeholder('volume', label);
  const image = needSection(rc.state, 'images').find((item) => item.label === label);
  const attachment = placeholder('attachment', label);
  const calls = [
    ...(await requests.attach(id, server, attachment)),
    ...(await requests.detach(id, server, attachment)),
    await requests.setImageMetadata(id, imageMetadata(image)),
    await requests.setBootable(id, boot),
  ];
  return calls.map((call) => ({ step: key, ...call }));
}
