/** Nova: POST /servers. The checks of the API in its order, the reservations it makes, and its words. */
import { Refusal, projectOf, userOf, type Call } from '../http.js';
import type { Flavor, Network, Port, Server, Volume } from '../state.js';
import {
  asBoolean,
  isObject,
  isStringMap,
  isUuid,
  listIn,
  newId,
  objectIn,
  repr,
  shown,
  textIn,
  zuluTime,
  type Json,
} from '../values.js';
import { reserve } from '../block-storage/attachments.js';
import { additional } from '../block-storage/volumes.js';
import { bind } from '../network/ports.js';
import { computeUsage } from './flavors.js';
import { checkImageProperties, deviceName } from './hardware.js';
import { buildServer, type NewVolume } from './lifecycle.js';

/** Keys of schemas/servers.py by the microversion that brought them. */
const KEYS: Record<string, number> = {
  name: 1,
  imageRef: 1,
  flavorRef: 1,
  adminPass: 1,
  metadata: 1,
  networks: 1,
  'OS-DCF:diskConfig': 1,
  accessIPv4: 1,
  accessIPv6: 1,
  personality: 1,
  availability_zone: 1,
  block_device_mapping: 1,
  block_device_mapping_v2: 1,
  config_drive: 1,
  key_name: 1,
  min_count: 1,
  max_count: 1,
  return_reservation_id: 1,
  security_groups: 1,
  user_data: 1,
  description: 19,
  tags: 52,
  trusted_image_certificates: 63,
  host: 74,
  hypervisor_hostname: 74,
  hostname: 90,
};
const BDM_KEYS = [
  'virtual_name',
  'volume_id',
  'snapshot_id',
  'volume_size',
  'device_name',
  'delete_on_termination',
  'no_device',
  'connection_info',
  'source_type',
  'uuid',
  'image_id',
  'destination_type',
  'guest_format',
  'device_type',
  'disk_bus',
  'boot_index',
  'tag',
  'volume_type',
];

const bad = (message: string): Refusal => new Refusal(400, message);

function field(name: string, value: unknown, why: string): Refusal {
  return bad(`Invalid input for field/attribute ${name}. Value: ${shown(value)}. ${why}`);
}

interface Disk {
  volume: Volume | null;
  create: NewVolume | null;
  bootIndex: number | null;
  deleteOnTermination: boolean;
}

function checkBody(call: Call): Json {
  if (!isObject(call.body)) throw bad("'server' is a required property");
  const body = objectIn(call.body, 'server');
  if (!body) throw bad("'server' is a required property");
  const outer = Object.keys(call.body).filter(
    (key) => !['server', 'os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'].includes(key),
  );
  if (outer.length > 0) throw bad(`Additional properties are not allowed ('${outer[0] ?? ''}' was unexpected)`);
  const unknown = Object.keys(body).filter((key) => {
    if (key === 'personality' && call.minor >= 57) return true;
    const since = KEYS[key];
    return since === undefined || call.minor < since;
  });
  if (unknown.length > 0) throw additional('server', body, unknown);
  for (const key of ['name', 'flavorRef']) {
    if (body[key] === undefined) throw field('server', body, `'${key}' is a required property`);
  }
  const name = body['name'];
  if (name === '') throw field('name', name, "'' is too short");
  const hostname = body['hostname'];
  if (typeof hostname === 'string' && hostname.length > 63) {
    throw field('hostname', hostname, `${repr(hostname)} is too long`);
  }
  if (
    hostname !== undefined &&
    (typeof hostname !== 'string' || !/^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$/.test(hostname))
  ) {
    throw field('hostname', hostname, `${repr(hostname)} does not match '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$'`);
  }
  if (typeof name !== 'string' || name.trim() === '' || name.length > 255 || name !== name.trim()) {
    throw field('name', name, `${repr(name)} does not match the pattern of a name`);
  }
  if (call.minor >= 37 && body['networks'] === undefined)
    throw field('server', body, "'networks' is a required property");
  const metadata = body['metadata'] ?? {};
  if (!isStringMap(metadata)) {
    const wrong = Object.entries(isObject(metadata) ? metadata : {}).find(([, value]) => typeof value !== 'string');
    throw wrong
      ? field(wrong[0], wrong[1], `${repr(wrong[1])} is not of type 'string'`)
      : field('metadata', metadata, `${repr(metadata)} is not of type 'object'`);
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (value.length > 255) throw field(key, value, `'${value}' is too long`);
    if (key.length > 255 || !/^[a-zA-Z0-9-_:. ]{1,255}$/.test(key)) {
      throw field('metadata', metadata, `Additional properties are not allowed ('${key}' was unexpected)`);
    }
  }
  const userData = body['user_data'];
  if (userData !== undefined && (typeof userData !== 'string' || !/^[A-Za-z0-9+/=\s]*$/.test(userData))) {
    throw field('user_data', userData, `is not a 'base64'`);
  }
  return body;
}

function disks(call: Call, body: Json): Disk[] {
  const { state } = call.core;
  const project = projectOf(call);
  return (listIn(body, 'block_device_mapping_v2') ?? []).map((entry, index): Disk => {
    if (!isObject(entry)) throw field(String(index), entry, `is not of type 'object'`);
    const unknown = Object.keys(entry).filter((key) => !BDM_KEYS.includes(key));
    if (unknown.length > 0) throw additional(String(index), entry, unknown);
    const source = entry['source_type'] ?? (entry['volume_id'] === undefined ? undefined : 'volume');
    const rawIndex = entry['boot_index'];
    if (typeof rawIndex === 'string' && !/^-?\d+$/.test(rawIndex)) {
      throw field('boot_index', rawIndex, `'${rawIndex}' does not match '^-?[0-9]+$'`);
    }
    const boot = rawIndex === undefined || rawIndex === null ? -1 : Number(rawIndex);
    const shared = {
      bootIndex: boot < 0 ? null : boot,
      deleteOnTermination: asBoolean(entry['delete_on_termination'] ?? false),
    };
    const id = textIn(entry, 'uuid') ?? textIn(entry, 'volume_id');
    if (source === 'volume') {
      if (entry['destination_type'] !== undefined && entry['destination_type'] !== 'volume') {
        throw bad('Block Device Mapping is Invalid: Mapping volume to local is not supported.');
      }
      const volume = state.volumes.find((one) => one.id === id && one.project_id === project.id);
      if (!volume) throw bad(`Block Device Mapping is Invalid: failed to get volume ${id ?? 'None'}.`);
      return { ...shared, volume, create: null };
    }
    if (source === 'image' || source === 'blank') {
      if (entry['destination_type'] !== 'volume') {
        throw bad('Block Device Mapping is Invalid: local disks are not offered by this cloud.');
      }
      const image = source === 'image' ? state.images.find((one) => one.id === id) : undefined;
      if (source === 'image' && !image)
        throw bad(`Block Device Mapping is Invalid: failed to get image ${id ?? 'None'}.`);
      const size = Number(entry['volume_size'] ?? 0);
      if (!Number.isInteger(size) || size < 1) {
        throw bad(
          "Block Device Mapping is Invalid: Images with destination_type 'volume' need to have a non-zero size specified",
        );
      }
      const create = { image_id: image?.id ?? null, size, type: textIn(entry, 'volume_type') ?? null };
      return { ...shared, volume: null, create };
    }
    throw bad('Block Device Mapping is Invalid: Invalid source_type field.');
  });
}

/** Boot indexes start at 0 and leave no gap (compute/api.py, _validate_bdm). */
function checkBootOrder(all: Disk[], hasImage: boolean): void {
  const order = all.flatMap((disk) => (disk.bootIndex === null ? [] : [disk.bootIndex])).sort((a, b) => a - b);
  const first = hasImage ? 1 : 0;
  if (order.some((value, index) => value !== index + first) || (!hasImage && order.length === 0)) {
    throw bad(
      'Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.',
    );
  }
  const boot = all.find((disk) => disk.bootIndex === 0);
  if (boot?.volume && !boot.volume.bootable) throw bad(`Block Device ${boot.volume.id} is not bootable.`);
}

interface Nic {
  port: Port | null;
  network: Network | null;
  fixedIp: string | null;
}

function nics(call: Call, body: Json): Nic[] {
  const { state } = call.core;
  const project = projectOf(call);
  const wanted = body['networks'];
  if (wanted === 'none') return [];
  const own = state.networks.filter((one) => one.project_id === project.id || one.shared);
  if (wanted === undefined || wanted === 'auto') {
    if (own.length > 1) {
      throw new Refusal(409, 'Multiple possible networks found, use a Network ID to be more specific.');
    }
    return own.map((network) => ({ port: null, network, fixedIp: null }));
  }
  if (!Array.isArray(wanted)) throw field('networks', wanted, 'is not valid under any of the given schemas');
  return wanted.map((entry: unknown, index): Nic => {
    if (!isObject(entry)) throw field(String(index), entry, `is not of type 'object'`);
    const unknown = Object.keys(entry).filter((key) => !['uuid', 'port', 'fixed_ip', 'tag'].includes(key));
    if (unknown.length > 0) throw additional(String(index), entry, unknown);
    const portId = textIn(entry, 'port');
    if (portId !== undefined) {
      const port = state.ports.find((one) => one.id === portId && one.project_id === project.id);
      if (!port) throw bad(`Port id ${portId} could not be found.`);
      if (port.device_id !== '') throw new Refusal(409, `Port ${portId} is still in use.`);
      if (port.fixed_ips.length === 0) throw bad(`Port ${portId} requires a FixedIP in order to be used.`);
      return { port, network: null, fixedIp: null };
    }
    const networkId = textIn(entry, 'uuid');
    const network = own.find((one) => one.id === networkId);
    if (!network) throw bad(`Network ${networkId ?? 'None'} could not be found.`);
    return { port: null, network, fixedIp: textIn(entry, 'fixed_ip') ?? null };
  });
}

function checkQuota(call: Call, flavor: Flavor): void {
  const project = projectOf(call);
  const used = computeUsage(call.core.state, project);
  const wanted = { cores: flavor.vcpus, instances: 1, ram: flavor.ram };
  const over = (['cores', 'instances', 'ram'] as const).filter(
    (key) => project.quotas[key] >= 0 && used[key] + wanted[key] > project.quotas[key],
  );
  if (over.length === 0) return;
  const each = (pick: (key: (typeof over)[number]) => number) => over.map(pick).join(', ');
  throw new Refusal(
    403,
    `Quota exceeded for ${over.join(', ')}: Requested ${each((key) => wanted[key])}, but already used ` +
      `${each((key) => used[key])} of ${each((key) => project.quotas[key])} ${over.join(', ')}`,
  );
}

/** A name as a host name: lower case, what cannot be in one left out (utils.sanitize_hostname). */
export function hostnameOf(name: string, id: string): string {
  const clean = name
    .replace(/[ _]/g, '-')
    .replace(/[^\w.-]+/g, '')
    .toLowerCase()
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, 63);
  return clean === '' ? `server-${id}` : clean;
}

/** Makes a server as `BUILD`; the rest happens in the background. */
export function createServer(call: Call): Server {
  const { core } = call;
  const { state } = core;
  const project = projectOf(call);
  const body = checkBody(call);
  const id = newId();
  const name = textIn(body, 'name') ?? '';
  const allDisks = disks(call, body);
  const imageRef = textIn(body, 'imageRef') ?? '';
  if (imageRef !== '' && !state.images.some((one) => one.id === imageRef)) throw bad('Can not find requested image');
  if (imageRef === '' && allDisks.length === 0) {
    throw bad(body['imageRef'] === undefined ? 'Missing imageRef attribute' : 'Invalid imageRef provided.');
  }
  const allNics = nics(call, body);
  const flavor = state.flavors.find((one) => one.id === String(body['flavorRef']));
  if (!flavor) throw bad(`Flavor ${String(body['flavorRef'])} could not be found.`);
  const keyName = textIn(body, 'key_name') ?? null;
  if (keyName !== null && !state.keypairs.some((one) => one.name === keyName && one.user_id === userOf(call).id)) {
    throw bad('Invalid key_name provided.');
  }
  if (imageRef !== '' && flavor.disk === 0) {
    throw new Refusal(403, 'Only volume-backed servers are allowed for flavors with zero disk.');
  }
  const zone = textIn(body, 'availability_zone') ?? null;
  if (zone !== null && !state.computeZones.includes(zone))
    throw bad('The requested availability zone is not available');
  const groups = (listIn(body, 'security_groups') ?? []).map((one) =>
    isObject(one) ? (textIn(one, 'name') ?? '') : '',
  );
  for (const group of groups) {
    const known = state.securityGroups.some(
      (one) => one.project_id === project.id && (one.name === group || one.id === group),
    );
    if (!known) throw bad(`Unable to find security_group with name or id '${group}'`);
  }
  checkBootOrder(allDisks, imageRef !== '');
  const bootMetadata = allDisks.find((disk) => disk.bootIndex === 0)?.volume?.image_metadata ?? {};
  checkImageProperties(bootMetadata);
  checkQuota(call, flavor);
  const server: Server = {
    id,
    project_id: project.id,
    user_id: userOf(call).id,
    name,
    hostname: textIn(body, 'hostname') ?? hostnameOf(name, id),
    status: 'BUILD',
    vm_state: 'building',
    task_state: 'scheduling',
    power_state: 0,
    flavor_id: flavor.id,
    image_id: imageRef === '' ? null : imageRef,
    key_name: keyName,
    config_drive: asBoolean(body['config_drive'] ?? false),
    availability_zone: zone ?? state.computeZones[0] ?? 'nova',
    metadata: (body['metadata'] ?? {}) as Record<string, string>,
    tags: (listIn(body, 'tags') ?? []).map(String),
    volumes: [],
    ports: [],
    security_groups: groups.length > 0 ? groups : ['default'],
    fault: null,
    started: null,
    created: zuluTime(),
    updated: zuluTime(),
    launched_at: null,
  };
  // All that can be refused was checked; from here on things are taken. Cinder's own refusal comes back wrapped.
  const taken: string[] = [];
  for (const disk of allDisks) {
    if (!disk.volume) continue;
    try {
      const attachment = reserve(core, disk.volume, id);
      taken.push(attachment.id);
      server.volumes.push({
        volume_id: disk.volume.id,
        attachment_id: attachment.id,
        device: deviceName(bootMetadata, server.volumes.length),
        boot_index: disk.bootIndex,
        delete_on_termination: disk.deleteOnTermination,
      });
    } catch (error) {
      for (const attachmentId of taken) undoReserve(call, attachmentId);
      const why = error instanceof Refusal ? error.message : String(error);
      throw bad(`Invalid volume: Invalid input received: ${why} (HTTP 400) (Request-ID: ${call.requestId})`);
    }
  }
  state.servers.push(server);
  for (const nic of allNics) {
    if (!nic.port) continue;
    bind(nic.port, id, server.availability_zone, false);
    server.ports.push({ port_id: nic.port.id, ours: false });
  }
  buildServer(core, server, {
    volumes: allDisks.flatMap((disk) =>
      disk.create ? [{ ...disk.create, bootIndex: disk.bootIndex, deleteOnTermination: disk.deleteOnTermination }] : [],
    ),
    networks: allNics.flatMap((nic) => (nic.network ? [{ network: nic.network, fixedIp: nic.fixedIp }] : [])),
    groups,
    requestId: call.requestId,
  });
  return server;
}

function undoReserve(call: Call, attachmentId: string): void {
  const { state } = call.core;
  const attachment = state.attachments.find((one) => one.id === attachmentId);
  const volume = state.volumes.find((one) => one.id === attachment?.volume_id);
  if (volume) volume.status = 'available';
  state.attachments = state.attachments.filter((one) => one !== attachment);
}

/** Only for lists of ids given by a caller: a UUID or a refusal as the schema words it. */
export function requireUuid(value: unknown, name: string): string {
  if (!isUuid(value)) throw field(name, value, `${repr(value)} is not a 'uuid'`);
  return value;
}
