import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { StackferryError, UsageError, ceilGib, quoteForHint } from '../core/index.js';
import { checkSource } from '../convert/index.js';
import { imageProperties, type Cloud } from '../openstack/index.js';
import { cloudName } from './plan/names.js';
import type { MappingOptions } from './plan/options.js';
import { cloudSectionOf, takeOptions } from './plan/resolve.js';
import { findVolumeType, findVolumeZone } from './plan/resolve-volumes.js';
import { resolveBoot } from './plan/resolve-boot.js';
import { resolvePorts } from './plan/resolve-ports.js';
import { resolveServer } from './plan/resolve-server.js';
import type { ImageSection, VolumeSection } from './plan/sections.js';
import { runSteps } from './runner.js';
import { withRun, type SessionBase } from './session.js';
import type { RunState } from './state/fold.js';
import type { ImageFile } from './steps/image-content.js';
import { listSteps, type Phase } from './steps/list.js';
import type { RunContext } from './steps/step.js';

/**
 * The step commands on their own: on a file, an image or volumes that no run of ours made. Each opens a run, so that
 * what it makes is journalled and can be rolled back.
 */

export interface UploadFilesRequest {
  /** Absolute paths, the boot disk first. */
  files: string[];
  /** Where unset it is told from the content. */
  diskFormat?: 'raw' | 'qcow2' | 'vmdk';
  name?: string;
  properties: Record<string, string>;
}

/** Uploads files as images. */
export async function uploadFiles(base: SessionBase, request: UploadFilesRequest): Promise<RunState> {
  const files: ImageFile[] = [];
  for (const [index, path] of request.files.entries())
    files.push(await describeFile(base, path, index, request.diskFormat));
  const images: ImageSection[] = files.map((file, index) => ({
    name: cloudName(
      request.name ?? basename(file.path, extname(file.path)),
      request.name !== undefined && files.length > 1 ? `-${index}` : '',
    ),
    label: file.label,
    format: file.format === 'qcow2' ? 'qcow2' : 'raw',
    format_reason: "the file's own",
    min_disk_gib: ceilGib(file.capacity_bytes),
    properties: {
      ...imageProperties(
        {
          firmware: 'bios',
          secureBoot: false,
          vtpm: false,
          architecture: 'x86_64',
          guestId: null,
          vcpus: 1,
          coresPerSocket: 1,
        },
        { description: basename(file.path), builtAt: new Date(base.ctx.clock.now()) },
      ),
      ...request.properties,
    },
  }));
  return inNewRun(base, 'upload', async (rc) => {
    await rc.record({ kind: 'plan', section: 'files', value: files });
    await rc.record({ kind: 'plan', section: 'images', value: images });
  });
}

export interface VolumesOfImagesRequest {
  imageIds: string[];
  sizeGib?: number;
  options: Partial<MappingOptions>;
  bootable: boolean;
}

/** Makes a volume of each image. */
export async function volumesOfImages(base: SessionBase, request: VolumesOfImagesRequest): Promise<RunState> {
  return inNewRun(base, 'volume', async (rc) => {
    const cloud = await rc.cloud();
    const options = await takeOptions(rc, request.options);
    const [ofDatastore] = options.datastoreTypes ?? [];
    if (ofDatastore) {
      const said = `--volume-type ${ofDatastore.datastore}=${ofDatastore.type}`;
      throw new UsageError(
        `${said}: an image lies on no datastore.`,
        `Say it of all: --volume-type ${ofDatastore.type}`,
      );
    }
    const [types, zones] = await Promise.all([cloud.volumeTypes.list(), cloud.zones()]);
    const volumes: VolumeSection[] = [];
    for (const [index, id] of request.imageIds.entries()) {
      const image = await cloud.images.get(id);
      const least = Math.max(image.min_disk, ceilGib(image.virtual_size ?? image.size ?? 0));
      if (request.sizeGib !== undefined && request.sizeGib < least) {
        throw new UsageError(`--size ${request.sizeGib} is too small: image ${id} needs ${least} GiB.`);
      }
      const base = options.name ?? image.name ?? id;
      volumes.push({
        name: cloudName(base, options.name !== undefined && request.imageIds.length > 1 ? `-${index}` : ''),
        label: `disk${index}`,
        size_gib: request.sizeGib ?? least,
        type: findVolumeType(options.volumeType, types),
        zone: findVolumeZone(options, zones),
        boot: request.bootable && index === 0,
      });
    }
    await rc.record({
      kind: 'plan',
      section: 'given_images',
      value: request.imageIds.map((id, index) => ({ label: `disk${index}`, image_id: id })),
    });
    await rc.record({ kind: 'plan', section: 'volumes', value: volumes });
  });
}

export interface ServerOfVolumesRequest {
  /** The boot disk first. */
  volumeIds: string[];
  vcpus: number;
  memoryMib: number;
  options: Partial<MappingOptions>;
}

/** Makes a server that boots from volumes, with one port for each `--network`. */
export async function serverOfVolumes(base: SessionBase, request: ServerOfVolumesRequest): Promise<RunState> {
  return inNewRun(base, 'server', async (rc) => {
    const cloud = await rc.cloud();
    const options = await takeOptions(rc, request.options);
    await assertVolumes(cloud, request.volumeIds);
    const nics = options.networks.map((mapping, index) => ({
      label: `ethernet${index}`,
      model: null,
      mac: null,
      network: mapping.source,
      vlan_id: null,
      connected: null,
      ip_addresses: [],
    }));
    const extra = options.nics
      .filter((nic) => !nics.some((own) => own.label === nic.label))
      .map((nic) => ({
        label: nic.label,
        model: null,
        mac: null,
        network: null,
        vlan_id: null,
        connected: null,
        ip_addresses: [],
      }));
    const first = await cloud.volumes.get(request.volumeIds[0] ?? '');
    const name = options.name ?? first.name ?? 'server';
    const [networks, subnets, securityGroups, flavors, keypairs, zones] = await Promise.all([
      cloud.networks.list(),
      cloud.networks.subnets(),
      cloud.securityGroups.list(),
      cloud.flavors.list(),
      options.keyName === undefined ? [] : cloud.keypairs.list(),
      cloud.zones(),
    ]);
    const vm = { name, cpus: request.vcpus, memory_mib: request.memoryMib, guest_id: null, uuid: null };
    const ports = resolvePorts({ name, nics: [...nics, ...extra] }, options, { networks, subnets, securityGroups });
    await rc.record({
      kind: 'plan',
      section: 'given_volumes',
      value: request.volumeIds.map((id, index) => ({ label: `disk${index}`, volume_id: id })),
    });
    await rc.record({ kind: 'plan', section: 'ports', value: ports });
    await rc.record({
      kind: 'plan',
      section: 'server',
      value: resolveServer(vm, options, { flavors, keypairs, zones }, null),
    });
    await rc.record({ kind: 'plan', section: 'boot', value: resolveBoot(options.waitFor, ports) });
  });
}

async function assertVolumes(cloud: Cloud, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const volume = await cloud.volumes.get(id);
    if (volume.status !== 'available') {
      throw new StackferryError('cloud.volume_in_use', `Volume ${id} is ${volume.status}, not available.`, {
        hint: 'Detach it first, or wait until it is available.',
      });
    }
  }
}

async function inNewRun(base: SessionBase, phase: Phase, plan: (rc: RunContext) => Promise<void>): Promise<RunState> {
  let final: RunState | undefined;
  await withRun(base, { vm: null }, async ({ rc }) => {
    final = rc.state;
    await rc.record({ kind: 'plan', section: 'cloud', value: cloudSectionOf(await rc.cloud()) });
    await plan(rc);
    await runSteps(rc, listSteps(rc.state, [phase]));
    return 'done';
  });
  if (!final) throw new Error('no run was opened');
  return final;
}

/** What a file is: told by its content and checked, so that no image that reads other files is uploaded. */
async function describeFile(
  base: SessionBase,
  path: string,
  index: number,
  said: UploadFilesRequest['diskFormat'],
): Promise<ImageFile> {
  const workDir = await mkdtemp(join(tmpdir(), 'stackferry-'));
  try {
    const checked = await checkSource(path, said, workDir, base.ctx);
    const [file, ...more] = checked.files;
    const { format, capacityBytes } = checked;
    if (
      !file ||
      more.length > 0 ||
      capacityBytes === null ||
      (format !== 'raw' && format !== 'qcow2' && format !== 'vmdk')
    ) {
      throw new StackferryError(
        'upload.not_an_image',
        `${path} cannot be uploaded as it is (${format}, several files or none).`,
        {
          hint: `First make an image of it: stackferry convert ${quoteForHint(path)}`,
        },
      );
    }
    return {
      label: `disk${index}`,
      path: file.path,
      format,
      bytes: file.bytes,
      capacity_bytes: capacityBytes,
      content_hash: null,
      mtime_ms: file.mtimeMs,
      file_sha512: null,
    };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
