/** Glance: images as records. POST, GET, PATCH, DELETE /v2/images; tags; limits. */
import { Refusal, param, projectOf, type Call, type Route } from '../http.js';
import { page } from '../pages.js';
import type { Image } from '../state.js';
import { isObject, isUuid, newId, repr, zuluTime, type Json } from '../values.js';
import { cinderInUse } from './in-use.js';

const READ_ONLY = new Set([
  'created_at',
  'updated_at',
  'status',
  'checksum',
  'size',
  'virtual_size',
  'direct_url',
  'self',
  'file',
  'schema',
  'id',
  'os_hash_algo',
  'os_hash_value',
]);
const BASE = new Set([
  'name',
  'visibility',
  'protected',
  'os_hidden',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'tags',
  'id',
  'owner',
]);
const DISK_FORMATS = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'];
const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'];
const VISIBILITIES = ['community', 'public', 'private', 'shared'];

export function imageOf(call: Call, id = param(call, 'id')): Image {
  const project = projectOf(call);
  const image = call.core.state.images.find((one) => one.id === id);
  if (!image || !visible(call, image, project.id)) throw new Refusal(404, `No image found with ID ${id}`);
  return image;
}

function visible(call: Call, image: Image, projectId: string): boolean {
  return call.scope?.admin === true || image.owner === projectId || ['public', 'community'].includes(image.visibility);
}

/** The same, for who may change it: the owner. */
export function ownImage(call: Call): Image {
  const image = imageOf(call);
  if (image.owner !== projectOf(call).id && call.scope?.admin !== true) {
    throw new Refusal(403, `You are not permitted to modify this image.`);
  }
  return image;
}

export function view(image: Image): Json {
  const { properties, owner, ...rest } = image;
  return {
    ...properties,
    ...rest,
    owner,
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  };
}

function schemaError(value: unknown, what: string): Refusal {
  return new Refusal(400, `Provided object does not match schema 'image': ${repr(value)} ${what}`);
}

function checkEnum(value: unknown, allowed: string[], nullable: boolean): void {
  if (nullable && value === null) return;
  if (typeof value !== 'string' || !allowed.includes(value)) {
    const list = [...(nullable ? ['None'] : []), ...allowed.map((one) => `'${one}'`)].join(', ');
    throw schemaError(value, `is not one of [${list}]`);
  }
}

/** Takes over one attribute or property, with the checks of the image schema (api/v2/images.py). */
function assign(image: Image, key: string, value: unknown): void {
  if (key === 'disk_format') checkEnum(value, DISK_FORMATS, true);
  if (key === 'container_format') checkEnum(value, CONTAINER_FORMATS, true);
  if (key === 'visibility') checkEnum(value, VISIBILITIES, false);
  if ((key === 'protected' || key === 'os_hidden') && typeof value !== 'boolean') {
    throw schemaError(value, `is not of type 'boolean'`);
  }
  if (key === 'min_disk' || key === 'min_ram') {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw schemaError(value, `is not of type 'integer'`);
    if (value < 0) throw schemaError(value, 'is less than the minimum of 0');
  }
  if (key === 'name' && value !== null && typeof value !== 'string') {
    throw schemaError(value, `is not of type 'null', 'string'`);
  }
  if (key === 'tags') {
    const tags = Array.isArray(value) ? value : [];
    if (!Array.isArray(value) || !tags.every((tag) => typeof tag === 'string')) {
      throw schemaError(value, `is not of type 'array' of strings`);
    }
    if (tags.some((tag) => tag.length > 255)) throw schemaError(value, 'is too long');
    image.tags = [...new Set(tags)];
    return;
  }
  if (BASE.has(key)) {
    Object.assign(image, { [key]: value });
    return;
  }
  if (key.length > 255) throw new Refusal(400, 'Custom property should not be greater than 255 characters.');
  if (['location', 'deleted', 'deleted_at'].includes(key) || key.startsWith('os_glance')) {
    throw new Refusal(403, `Attribute '${key}' is reserved.`);
  }
  if (typeof value !== 'string') throw schemaError(value, `is not of type 'string'`);
  image.properties[key] = value;
}

function create(call: Call): Image {
  const { core } = call;
  const body = call.body;
  if (!isObject(body)) throw new Refusal(400, 'Body expected in request.');
  for (const key of ['direct_url', 'self', 'file', 'schema', 'stores']) {
    if (key in body) throw new Refusal(403, `Attribute '${key}' is read-only.`);
  }
  const id = body['id'] ?? newId();
  if (!isUuid(id) || id.length !== 36)
    throw schemaError(
      id,
      `does not match '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'`,
    );
  if (core.state.images.some((one) => one.id === id)) throw new Refusal(409, `Image ID ${id} already exists!`);
  const project = projectOf(call);
  if (body['owner'] !== undefined && body['owner'] !== project.id && call.scope?.admin !== true) {
    throw new Refusal(403, `You are not permitted to create images owned by '${JSON.stringify(body['owner'])}'.`);
  }
  if (body['visibility'] === 'public' && call.scope?.admin !== true) {
    throw new Refusal(403, 'You are not authorized to complete publicize_image action.');
  }
  const now = zuluTime();
  const image: Image = {
    id,
    owner: project.id,
    name: null,
    status: 'queued',
    visibility: 'shared',
    protected: false,
    os_hidden: false,
    disk_format: null,
    container_format: null,
    min_disk: 0,
    min_ram: 0,
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    tags: [],
    properties: {},
    created_at: now,
    updated_at: now,
  };
  for (const [key, value] of Object.entries(body)) {
    if (key === 'id') continue;
    if (READ_ONLY.has(key)) throw new Refusal(403, `Attribute '${key}' is read-only.`);
    assign(image, key, value);
  }
  core.state.images.push(image);
  return image;
}

/** JSON patch in the two drafts that Glance takes; only the newer is spoken by clients of today. */
function patch(call: Call): Image {
  const type = (call.headers['content-type'] ?? '').split(';')[0]?.trim();
  if (type !== 'application/openstack-images-v2.1-json-patch') {
    throw new Refusal(415, '', {
      headers: {
        'accept-patch': 'application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch',
      },
    });
  }
  if (!Array.isArray(call.body)) throw new Refusal(400, 'Request body must be a JSON array of operation objects.');
  const image = ownImage(call);
  // All or nothing: the operations are tried on a copy.
  const copy: Image = structuredClone(image);
  for (const change of call.body as unknown[]) {
    if (!isObject(change)) throw new Refusal(400, 'Operations must be JSON objects.');
    applyChange(copy, change);
  }
  copy.updated_at = zuluTime();
  return Object.assign(image, copy);
}

function applyChange(image: Image, change: Json): void {
  const { op, path } = change;
  if (typeof op !== 'string' || !['add', 'remove', 'replace'].includes(op)) {
    throw new Refusal(
      400,
      `Invalid operation: \`${JSON.stringify(op)}\`. It must be one of the following: add, remove, replace.`,
    );
  }
  if (typeof path !== 'string') throw new Refusal(400, "Unable to find 'path' in JSON Schema change");
  if (!path.startsWith('/')) throw new Refusal(400, `Pointer \`${path}\` does not start with "/".`);
  const key = path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  if (READ_ONLY.has(key)) throw new Refusal(403, `Attribute '${key}' is read-only.`);
  const known = BASE.has(key) || key in image.properties;
  if (op !== 'add' && !known) throw new Refusal(409, `Property ${key} does not exist.`, { type: 'detail' });
  if (op === 'remove') {
    if (BASE.has(key)) throw new Refusal(403, `Property ${key} may not be removed.`, { type: 'detail' });
    image.properties = Object.fromEntries(Object.entries(image.properties).filter(([name]) => name !== key));
    return;
  }
  if (!('value' in change)) throw new Refusal(400, `Operation "${op}" requires a member named "value".`);
  if ((key === 'disk_format' || key === 'container_format') && image.status !== 'queued') {
    throw new Refusal(403, `Attribute ${key} can be only replaced for a queued image.`);
  }
  assign(image, key, change['value']);
}

const NO_FILTERS = new Set(['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'member_status']);

function list(call: Call): { images: Image[]; next: string | null } {
  const project = projectOf(call);
  let images = call.core.state.images.filter((one) => visible(call, one, project.id));
  if (call.query.get('visibility') === null) images = images.filter((one) => one.visibility !== 'community');
  for (const [key, wanted] of call.query) {
    if (NO_FILTERS.has(key)) continue;
    images = images.filter((one) => fits(one, key, wanted));
  }
  // Newest first is Glance's default order; the id settles ties, so that pages do not overlap.
  images = [...images].sort((a, b) => b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id));
  const [sortKey, direction] = (call.query.get('sort') ?? '').split(':');
  if (sortKey === 'name')
    images.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? '') * (direction === 'desc' ? -1 : 1));
  const found = page(
    call,
    images,
    Math.min(25, call.core.settings.pageSize),
    (one) => one.id,
    (marker) => new Refusal(400, `No image found with ID ${marker}`),
  );
  return { images: found.items, next: found.next };
}

function fits(image: Image, key: string, wanted: string): boolean {
  if (key === 'tag') return image.tags.includes(wanted);
  if (key === 'size_min') return (image.size ?? 0) >= Number(wanted);
  if (key === 'size_max') return (image.size ?? 0) <= Number(wanted);
  const value = view(image)[key];
  const text = typeof value === 'boolean' || typeof value === 'number' ? String(value) : value;
  if (wanted.startsWith('in:')) return wanted.slice(3).split(',').includes(String(text));
  return text === wanted;
}

async function remove(call: Call): Promise<void> {
  const { core } = call;
  const id = param(call, 'id');
  if (!core.state.images.some((one) => one.id === id)) throw new Refusal(404, `Failed to find image ${id} to delete`);
  const image = ownImage(call);
  if (image.protected) throw new Refusal(403, `Image ${id} is protected and cannot be deleted.`);
  if (core.settings.imageInUseWhileCloned && cinderInUse(core.state, id)) {
    throw new Refusal(
      409,
      `Image ${id} could not be deleted because it is in use: The image cannot be deleted because it is in use ` +
        `through the backend store outside of Glance.`,
    );
  }
  core.state.images = core.state.images.filter((one) => one !== image);
  await core.removeFile(core.imageFile(id));
}

export const imageRoutes: Route[] = [
  {
    method: 'POST',
    pattern: '/v2/images',
    handle: (call) => {
      const image = create(call);
      return {
        status: 201,
        body: view(image),
        headers: { location: `${call.root}/v2/images/${image.id}` },
      };
    },
  },
  {
    method: 'GET',
    pattern: '/v2/images',
    handle: (call) => {
      const { images, next } = list(call);
      const first = new URLSearchParams(call.query);
      first.delete('marker');
      const query = first.toString();
      return {
        status: 200,
        body: {
          images: images.map(view),
          first: query === '' ? '/v2/images' : `/v2/images?${query}`,
          schema: '/v2/schemas/images',
          ...(next === null ? {} : { next: `/v2/images?${next}` }),
        },
      };
    },
  },
  { method: 'GET', pattern: '/v2/images/:id', handle: (call) => ({ status: 200, body: view(imageOf(call)) }) },
  { method: 'PATCH', pattern: '/v2/images/:id', handle: (call) => ({ status: 200, body: view(patch(call)) }) },
  {
    method: 'DELETE',
    pattern: '/v2/images/:id',
    handle: async (call) => {
      await remove(call);
      return { status: 204 };
    },
  },
  {
    method: 'PUT',
    pattern: '/v2/images/:id/tags/:tag',
    handle: (call) => {
      const image = ownImage(call);
      assign(image, 'tags', [...image.tags, param(call, 'tag')]);
      return { status: 204 };
    },
  },
  {
    method: 'DELETE',
    pattern: '/v2/images/:id/tags/:tag',
    handle: (call) => {
      const image = ownImage(call);
      const tag = param(call, 'tag');
      if (!image.tags.includes(tag)) throw new Refusal(404, `Failed to find tag ${tag} in image ${image.id}`);
      image.tags = image.tags.filter((one) => one !== tag);
      return { status: 204 };
    },
  },
  {
    method: 'GET',
    pattern: '/v2/info/import',
    handle: () => ({
      status: 200,
      body: { 'import-methods': { description: 'Import methods available.', type: 'array', value: [] } },
    }),
  },
];
