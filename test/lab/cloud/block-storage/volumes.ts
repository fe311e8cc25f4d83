/** Cinder: volumes. POST, GET, PUT, DELETE /v3/PROJECT/volumes; metadata. */
import { Refusal, param, projectOf, userOf, type Call, type Route } from '../http.js';
import { page } from '../pages.js';
import type { Image, Volume } from '../state.js';
import {
  asBoolean,
  cinderTime,
  isObject,
  isStringMap,
  newId,
  objectIn,
  repr,
  shown,
  textIn,
  type Json,
} from '../values.js';
import { deleteVolume, makeVolume } from './make.js';
import { checkVolumeQuota } from './quotas.js';
import { volumeTypeOf } from './types.js';

const GB = 1024 ** 3;

const CREATE_KEYS = new Set([
  'name',
  'description',
  'display_name',
  'display_description',
  'volume_type',
  'metadata',
  'snapshot_id',
  'source_volid',
  'consistencygroup_id',
  'size',
  'availability_zone',
  'multiattach',
  'image_id',
  'imageRef',
  'group_id',
  'backup_id',
]);

export function volumeOf(call: Call, id = param(call, 'id')): Volume {
  const project = projectOf(call);
  const volume = call.core.state.volumes.find((one) => one.id === id);
  if (!volume || (volume.project_id !== project.id && call.scope?.admin !== true)) {
    throw new Refusal(404, `Volume ${id} could not be found.`);
  }
  return volume;
}

export function view(call: Call, volume: Volume): Json {
  const { state } = call.core;
  const attached = state.attachments.filter((one) => one.volume_id === volume.id && one.status === 'attached');
  const type = state.volumeTypes.find((one) => one.id === volume.volume_type_id);
  const links = [
    { rel: 'self', href: `${call.root}/v3/${volume.project_id}/volumes/${volume.id}` },
    { rel: 'bookmark', href: `${call.root}/${volume.project_id}/volumes/${volume.id}` },
  ];
  return {
    id: volume.id,
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availability_zone,
    created_at: volume.created_at,
    updated_at: volume.updated_at,
    name: volume.name,
    description: volume.description,
    volume_type: type?.name ?? volume.volume_type_id,
    snapshot_id: null,
    source_volid: null,
    metadata: volume.metadata,
    links,
    user_id: volume.user_id,
    bootable: String(volume.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: volume.multiattach,
    attachments: attached.map((one) => ({
      id: volume.id,
      attachment_id: one.id,
      volume_id: volume.id,
      server_id: one.instance,
      host_name: null,
      device: one.device,
      attached_at: one.attached_at,
    })),
    ...(call.scope?.admin === true ? { migration_status: null } : {}),
    ...(call.minor >= 13 ? { group_id: null } : {}),
    ...(call.minor >= 48 ? { shared_targets: false, service_uuid: 'c4d0e6a2-6d0a-4f0e-9a0c-1a2b3c4d5e6f' } : {}),
    ...(call.minor >= 63 ? { volume_type_id: volume.volume_type_id } : {}),
    ...(call.minor >= 65 ? { consumes_quota: true } : {}),
    'os-vol-tenant-attr:tenant_id': volume.project_id,
    ...(Object.keys(volume.image_metadata).length > 0 ? { volume_image_metadata: volume.image_metadata } : {}),
  };
}

/** The image a volume is to be made from, checked as cinder/volume/volume_utils.py does (check_image_metadata). */
function imageFor(call: Call, ref: string, size: number): Image {
  const project = projectOf(call);
  const image = call.core.state.images.find(
    (one) => one.id === ref && (one.owner === project.id || ['public', 'community'].includes(one.visibility)),
  );
  if (!image) throw new Refusal(400, 'Invalid image identifier or unable to access requested image.');
  const invalid = (reason: string) => new Refusal(400, `Invalid input received: ${reason}`);
  if (image.status !== 'active') throw invalid(`Image ${ref} is not active.`);
  const gib = Math.ceil((image.size ?? 0) / GB);
  if (gib > size) throw invalid(`Size of specified image ${gib}GB is larger than volume size ${size}GB.`);
  if (size < image.min_disk) {
    throw invalid(`Volume size ${size}GB cannot be smaller than the image minDisk size ${image.min_disk}GB.`);
  }
  const virtual = Math.ceil((image.virtual_size ?? 0) / GB);
  if (virtual > size) {
    const why = `Image virtual size is ${virtual}GB and doesn't fit in a volume of size ${size}GB.`;
    throw new Refusal(400, `Image ${ref} is unacceptable: ${why}`);
  }
  return image;
}

/** Cinder's copy of an image's metadata: its properties and some of its attributes, all as text. */
function imageMetadata(image: Image): Record<string, string> {
  return {
    signature_verified: 'False',
    ...image.properties,
    image_id: image.id,
    image_name: image.name ?? '',
    checksum: image.checksum ?? '',
    container_format: image.container_format ?? '',
    disk_format: image.disk_format ?? '',
    min_disk: String(image.min_disk),
    min_ram: String(image.min_ram),
    size: String(image.size ?? 0),
  };
}

/** The first value of a map that is no string, as jsonschema names it. */
function notStrings(name: string, value: unknown): Refusal {
  const [key, entry] = Object.entries(isObject(value) ? value : {}).find(([, one]) => typeof one !== 'string') ?? [
    name,
    value,
  ];
  const message = `Invalid input for field/attribute ${key}. Value: ${shown(entry)}. ${repr(entry)} is not of type `;
  return new Refusal(400, `${message}${isObject(value) ? "'string'" : "'object'"}`);
}

/** GiB. A number, or a string of digits (parameter_types.volume_size). */
function sizeOf(body: Json): number {
  const size = body['size'];
  if (size === undefined || size === null) {
    throw new Refusal(
      400,
      'The server could not comply with the request since it is either malformed or otherwise incorrect.',
    );
  }
  const problem = (why: string) =>
    new Refusal(400, `Invalid input for field/attribute size. Value: ${shown(size)}. ${why}`);
  if (typeof size === 'string' && !/^[0-9]+$/.test(size)) throw problem(`${repr(size)} does not match '^[0-9]+$'`);
  if (typeof size !== 'string' && (typeof size !== 'number' || !Number.isInteger(size))) {
    throw problem(`${repr(size)} is not of type 'integer', 'string'`);
  }
  if (Number(size) < 1) throw problem(`${size} is less than the minimum of 1`);
  return Number(size);
}

function create(call: Call): Volume {
  const { core } = call;
  const body = objectIn(call.body, 'volume');
  if (!body) throw new Refusal(400, "'volume' is a required property");
  if (call.minor >= 53) {
    const extra = Object.keys(body).filter((key) => !CREATE_KEYS.has(key));
    if (extra.length > 0) throw additional('volume', body, extra);
  }
  const metadata = body['metadata'] ?? {};
  if (!isStringMap(metadata)) throw notStrings('metadata', metadata);
  checkMetadata(metadata);
  const size = sizeOf(body);
  for (const key of ['snapshot_id', 'source_volid', 'backup_id']) {
    const id = textIn(body, key);
    if (id !== undefined) throw new Refusal(404, `${key} ${id} could not be found.`);
  }
  const project = projectOf(call);
  const type = volumeTypeOf(core.state, textIn(body, 'volume_type'));
  const ref = textIn(body, 'imageRef') ?? textIn(body, 'image_id');
  const zone = textIn(body, 'availability_zone') ?? core.state.volumeZones[0] ?? 'nova';
  const image = ref === undefined || ref === '' ? null : imageFor(call, ref, size);
  if (!core.state.volumeZones.includes(zone)) throw new Refusal(400, `Availability zone '${zone}' is invalid.`);
  checkVolumeQuota(core.state, project, type, size);
  const volume: Volume = {
    id: newId(),
    project_id: project.id,
    user_id: userOf(call).id,
    name: textIn(body, 'name') ?? textIn(body, 'display_name') ?? null,
    description: textIn(body, 'description') ?? textIn(body, 'display_description') ?? null,
    size,
    status: 'creating',
    volume_type_id: type.id,
    availability_zone: zone,
    bootable: false,
    multiattach: false,
    metadata,
    image_metadata: {},
    source_image_id: null,
    created_at: cinderTime(),
    updated_at: null,
  };
  core.state.volumes.push(volume);
  makeVolume(core, volume, image, image ? imageMetadata(image) : {}, call.requestId);
  return volume;
}

/** What jsonschema says of a key that is not in the schema (api/validation/validators.py). */
export function additional(field: string, value: Json, keys: string[]): Refusal {
  const list = keys.map((key) => `'${key}'`).join(', ');
  return new Refusal(
    400,
    `Invalid input for field/attribute ${field}. Value: ${shown(value)}. Additional properties are not allowed ` +
      `(${list} ${keys.length === 1 ? 'was' : 'were'} unexpected)`,
  );
}

/** Keys and values are at most 255 characters (parameter_types.metadata_allows_null). */
export function checkMetadata(metadata: Record<string, string>): void {
  for (const [key, value] of Object.entries(metadata)) {
    if (key.length < 1 || key.length > 255 || value.length > 255) {
      throw new Refusal(400, `Invalid input for field/attribute ${key}. Value: ${value}. '${value}' is too long`);
    }
  }
}

/** `{'stackferry_run': 'r7'}`: the filter is a Python literal, written by clients with either kind of quotes. */
export function metadataFilter(text: string): Record<string, string> {
  const wanted = Object.create(null) as Record<string, string>; // `__proto__` is a key like others
  const pair = /(['"])((?:\\.|(?!\1).)*)\1\s*:\s*u?(['"])((?:\\.|(?!\3).)*)\3/gs;
  for (const match of text.matchAll(pair)) {
    wanted[unescape(match[2] ?? '')] = unescape(match[4] ?? '');
  }
  return wanted;
}

const unescape = (text: string): string => text.replace(/\\(.)/gs, '$1');

/** What a member may filter by (resource_filters.json); from 3.31 on others are refused, before they are ignored. */
const FILTERS: Record<string, (volume: Volume, wanted: string) => boolean> = {
  name: (volume, wanted) => volume.name === wanted,
  'name~': (volume, wanted) => (volume.name ?? '').includes(wanted),
  status: (volume, wanted) => volume.status === wanted,
  bootable: (volume, wanted) => volume.bootable === asBoolean(wanted),
  availability_zone: (volume, wanted) => volume.availability_zone === wanted,
  size: (volume, wanted) => volume.size === Number(wanted),
  metadata: (volume, wanted) =>
    Object.entries(metadataFilter(wanted)).every(([key, value]) => volume.metadata[key] === value),
};
const NO_FILTERS = new Set([
  'limit',
  'marker',
  'offset',
  'sort',
  'sort_key',
  'sort_dir',
  'all_tenants',
  'with_count',
  'project_id',
]);

function list(call: Call, detail: boolean): object {
  const { core } = call;
  const project = projectOf(call);
  const all = call.scope?.admin === true && asBoolean(call.query.get('all_tenants') ?? 'false');
  let volumes = core.state.volumes.filter((one) => all || one.project_id === project.id);
  const unknown: string[] = [];
  for (const [key, wanted] of call.query) {
    if (NO_FILTERS.has(key)) continue;
    const filter = FILTERS[key];
    if (filter) volumes = volumes.filter((one) => filter(one, wanted));
    else unknown.push(key);
  }
  if (unknown.length > 0 && call.minor >= 31) {
    throw new Refusal(400, `Invalid filters ${unknown.join(',')} are found in query options.`);
  }
  // Newest first; volumes made within one tick keep the order in which they were made.
  volumes = [...volumes].reverse().sort((a, b) => b.created_at.localeCompare(a.created_at));
  const found = page(
    call,
    volumes,
    core.settings.pageSize,
    (one) => one.id,
    (marker) => new Refusal(404, `Volume ${marker} could not be found.`),
  );
  return {
    volumes: found.items.map((one) => {
      const full = view(call, one);
      return detail ? full : { id: full['id'], name: full['name'], links: full['links'] };
    }),
    ...(found.next === null
      ? {}
      : { volumes_links: [{ rel: 'next', href: `${call.root}${call.path}?${found.next}` }] }),
    ...(call.minor >= 45 && asBoolean(call.query.get('with_count') ?? '') ? { count: volumes.length } : {}),
  };
}

function update(call: Call): Volume {
  const volume = volumeOf(call);
  const body = objectIn(call.body, 'volume');
  if (!body) throw new Refusal(400, "'volume' is a required property");
  const extra = Object.keys(body).filter(
    (key) => !['name', 'description', 'display_name', 'display_description', 'metadata'].includes(key),
  );
  if (extra.length > 0) throw additional('volume', body, extra);
  if ('metadata' in body) {
    if (!isStringMap(body['metadata'])) throw new Refusal(400, 'Malformed request body');
    volume.metadata = body['metadata'];
  }
  volume.name = textIn(body, 'name') ?? textIn(body, 'display_name') ?? volume.name;
  volume.description = textIn(body, 'description') ?? textIn(body, 'display_description') ?? volume.description;
  volume.updated_at = cinderTime();
  return volume;
}

function setMetadata(call: Call, replace: boolean): object {
  const volume = volumeOf(call);
  const metadata = objectIn(call.body, 'metadata');
  if (!metadata || !isStringMap(metadata)) throw new Refusal(400, 'Malformed request body');
  checkMetadata(metadata);
  volume.metadata = replace ? metadata : { ...volume.metadata, ...metadata };
  volume.updated_at = cinderTime();
  return { metadata: volume.metadata };
}

const BASE = '/v3/:project/volumes';

export const volumeRoutes: Route[] = [
  {
    method: 'POST',
    pattern: BASE,
    handle: (call) => {
      const shownVolume = view(call, create(call));
      delete shownVolume['os-vol-tenant-attr:tenant_id'];
      return { status: 202, body: { volume: shownVolume } };
    },
  },
  { method: 'GET', pattern: BASE, handle: (call) => ({ status: 200, body: list(call, false) }) },
  { method: 'GET', pattern: `${BASE}/detail`, handle: (call) => ({ status: 200, body: list(call, true) }) },
  {
    method: 'GET',
    pattern: `${BASE}/:id`,
    handle: (call) => ({ status: 200, body: { volume: view(call, volumeOf(call)) } }),
  },
  {
    method: 'PUT',
    pattern: `${BASE}/:id`,
    handle: (call) => ({ status: 200, body: { volume: view(call, update(call)) } }),
  },
  {
    method: 'DELETE',
    pattern: `${BASE}/:id`,
    handle: (call) => {
      deleteVolume(call.core, volumeOf(call));
      return { status: 202 };
    },
  },
  {
    method: 'GET',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: { metadata: volumeOf(call).metadata } }),
  },
  {
    method: 'POST',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: setMetadata(call, false) }),
  },
  {
    method: 'PUT',
    pattern: `${BASE}/:id/metadata`,
    handle: (call) => ({ status: 200, body: setMetadata(call, true) }),
  },
  {
    method: 'DELETE',
    pattern: `${BASE}/:id/metadata/:key`,
    handle: (call) => {
      const volume = volumeOf(call);
      const key = param(call, 'key');
      if (!(key in volume.metadata)) {
        throw new Refusal(404, `Volume ${volume.id} has no metadata with key ${key}.`);
      }
      volume.metadata = Object.fromEntries(Object.entries(volume.metadata).filter(([name]) => name !== key));
      return { status: 200 };
    },
  },
];
