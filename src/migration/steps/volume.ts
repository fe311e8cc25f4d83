import { z } from 'zod';
import type { Cloud, CreateVolume, Volume } from '../../openstack/index.js';
import type { VolumeSection } from '../plan/sections.js';
import { imageResult } from './image.js';
import { transferOf } from './transfer.js';
import { madeBy, needSection, placeholder, section, type RunContext, type Step } from './step.js';

export const volumeResult = z.object({ label: z.string(), volume_id: z.string(), size_gib: z.number() });
export type VolumeResult = z.infer<typeof volumeResult>;

const givenImages = z.array(z.object({ label: z.string(), image_id: z.string() }));

/** The image of a disk: what `volume --image` was given, or what the image step made. */
export function imageIdOf(state: RunContext['state'], label: string): string {
  const given = givenImages.safeParse(state.plan.get('given_images'));
  const image = given.success ? given.data.find((item) => item.label === label) : undefined;
  return image?.image_id ?? imageResult.parse(state.steps.get(`image:${label}`)?.result).image_id;
}

/** A Cinder volume from the disk's image; a blank one where the disk is written to it at this machine. */
export function volumeStep(state: RunContext['state'], label: string): Step {
  const key = `volume:${label}`;
  const planned = needSection(state, 'volumes').find((item) => item.label === label);
  if (!planned) throw new Error(`no volume planned for ${label}`);
  const isBlank = transferOf(state) === 'attached';
  return {
    key,
    kind: 'volume',
    subject: `volume ${planned.name}`,
    needs: isBlank || state.plan.has('given_images') ? [] : [`image:${label}`],
    holds: async (rc, result) => {
      const parsed = volumeResult.safeParse(result);
      if (!parsed.success) return false;
      const volume = await (await rc.cloud()).volumes.find(parsed.data.volume_id);
      return volume !== undefined && !volume.status.startsWith('error');
    },
    run: async (rc) => {
      const cloud = await rc.cloud();
      const earlier = await earlierVolume(rc, cloud, key, planned.name);
      const orderedAt = rc.ctx.clock.now();
      const volume = earlier ?? (await createVolume(rc, cloud, key, label));
      const ready = await cloud.volumes.waitAvailable(volume.id, {
        timeoutMs: rc.settings.timeouts.volumeMs,
        option: '--timeout-volume',
        label: `volume ${planned.name} to become available`,
      });
      if (!isBlank && !earlier) await remember(rc, planned, (rc.ctx.clock.now() - orderedAt) / 1000);
      // Of a blank one that is said once it holds the disk.
      if (!isBlank && (ready.bootable === 'true') !== planned.boot)
        await cloud.volumes.setBootable(ready.id, planned.boot);
      const result: VolumeResult = { label, volume_id: ready.id, size_gib: ready.size };
      return { result, summary: `${ready.size} GiB, available` };
    },
    preview: async (rc) => {
      const { requests } = await rc.cloud();
      const made = rc.state.steps.get(`image:${label}`)?.state === 'done' || rc.state.plan.has('given_images');
      const imageId = isBlank ? null : made ? imageIdOf(rc.state, label) : placeholder('image', label);
      const id = placeholder('volume', label);
      const calls = [await requests.createVolume(volumeInput(rc.run, key, planned, imageId))];
      // Cinder marks a volume that is made of an image bootable.
      if (!isBlank && !planned.boot) calls.push(await requests.setBootable(id, false));
      return calls.map((call) => ({ step: key, ...call }));
    },
    undo: async (rc) => {
      const cloud = await rc.cloud();
      for (const id of await volumesOf(rc, cloud, key)) await dropVolume(rc, cloud, key, id);
    },
  };
}

/**
 * Remembers what the cloud took for an image of this run and its volume: the next choice of a format goes by it. An image
 * that was there before tells nothing, for Cinder may have it in its cache.
 */
async function remember({ state, settings, measured, ctx }: RunContext, planned: VolumeSection, seconds: number) {
  const cloud = section(state, 'cloud');
  const format = section(state, 'images')?.find(({ label }) => label === planned.label)?.format;
  const image = imageResult.safeParse(state.steps.get(`image:${planned.label}`)?.result).data;
  if (!cloud || !format || !image || seconds < 0) return;
  const sample = {
    at: new Date(ctx.clock.now()).toISOString(),
    auth_url: cloud.auth_url,
    region: cloud.region,
    volume_type: planned.type,
    format,
    image_bytes: image.bytes,
    volume_gib: planned.size_gib,
    // One that was held back tells of --bandwidth or --low-priority.
    image_seconds: isHeldBack(settings) ? null : image.sent_seconds,
    volume_seconds: seconds,
  };
  await measured.add(sample, ctx);
}

function isHeldBack({ bandwidth, lowPriority }: RunContext['settings']): boolean {
  return bandwidth.host !== null || Object.keys(bandwidth.datastores).length > 0 || lowPriority;
}

async function createVolume(rc: RunContext, cloud: Cloud, key: string, label: string): Promise<Volume> {
  const planned = needSection(rc.state, 'volumes').find((item) => item.label === label);
  if (!planned) throw new Error(`no volume planned for ${label}`);
  await rc.record({ kind: 'intent', step: key, resource: 'volume', name: planned.name });
  const imageId = transferOf(rc.state) === 'attached' ? null : imageIdOf(rc.state, label);
  const volume = await cloud.volumes.create(volumeInput(rc.run, key, planned, imageId));
  await rc.record({ kind: 'made', step: key, resource: 'volume', id: volume.id, name: planned.name });
  return volume;
}

function volumeInput(run: string, key: string, planned: VolumeSection, imageId: string | null): CreateVolume {
  return {
    name: planned.name,
    sizeGib: planned.size_gib,
    ...(imageId === null ? {} : { imageId }),
    ...(planned.type === null ? {} : { volumeType: planned.type }),
    ...(planned.zone === null ? {} : { availabilityZone: planned.zone }),
    marker: { run, step: key },
  };
}

/** The volume that an earlier try made, unless it is broken: then it is deleted, so that a new one can be made. */
async function earlierVolume(rc: RunContext, cloud: Cloud, key: string, name: string): Promise<Volume | undefined> {
  if (madeBy(rc.state, key, 'volume').length === 0) return undefined;
  let good: Volume | undefined;
  for (const id of await volumesOf(rc, cloud, key)) {
    const volume = await cloud.volumes.find(id);
    if (volume && !volume.status.startsWith('error') && volume.status !== 'deleting' && !good) {
      good = volume;
      await rc.record({ kind: 'made', step: key, resource: 'volume', id, name });
    } else {
      await dropVolume(rc, cloud, key, id);
    }
  }
  return good;
}

/** Ids of the volumes that this step made: those that the journal holds, and those that carry its marker. */
async function volumesOf(rc: RunContext, cloud: Cloud, key: string): Promise<string[]> {
  const marked = await cloud.volumes.findByMarker({ run: rc.run, step: key });
  const known = madeBy(rc.state, key, 'volume').flatMap((item) => item.id ?? []);
  return [...new Set([...marked.map((volume) => volume.id), ...known])];
}

async function dropVolume(rc: RunContext, cloud: Cloud, key: string, id: string): Promise<void> {
  await cloud.volumes.delete(id);
  await cloud.volumes.waitDeleted(id, { timeoutMs: rc.settings.timeouts.volumeMs, option: '--timeout-volume' });
  await rc.record({ kind: 'gone', step: key, resource: 'volume', id });
}
