import { z } from 'zod';
import { UsageError } from '../../core/index.js';
import type { Cloud } from '../../openstack/index.js';
import type { RunContext } from '../steps/step.js';
import { needSection, section, sourceVm } from '../steps/step.js';
import { readCloudFacts, type CloudFacts } from '../cloud-facts.js';
import { hasBegun, type MadePart } from './begun.js';
import { plannedVm, type PlannedVm } from './document/schema.js';
import { settleVm } from './document/settle.js';
import { PLANNED, followPlan as follow } from './follow.js';
import { issueText } from './issue-text.js';
import { defaultMapping, type MappingOptions } from './options.js';
import { resolveBoot } from './resolve-boot.js';
import { resolveImages } from './resolve-image.js';
import { resolvePorts } from './resolve-ports.js';
import { resolveServer } from './resolve-server.js';
import { resolveVia } from './resolve-via.js';
import { assertDatastores, resolveVolumes } from './resolve-volumes.js';
import { TRANSFER } from '../steps/transfer.js';
import { sections, waitForSchema, type CloudSection, type SectionName, type ViaSection } from './sections.js';

/** The mapping options as the journal keeps them: what was said on the command lines of this run, merged. */
const savedOptions = z.object({
  networks: z.array(z.object({ source: z.string(), target: z.string() })),
  nics: z.array(
    z.object({
      label: z.string(),
      target: z.string(),
      ips: z.array(z.string()),
      mac: z.string().nullable(),
      reason: z.string().exactOptional(),
      securityGroups: z.array(z.string()).exactOptional(),
      keepIp: z.boolean().exactOptional(),
    }),
  ),
  keepMac: z.boolean(),
  keepIp: z.boolean(),
  flavor: z.string().exactOptional(),
  volumeType: z.string().exactOptional(),
  datastoreTypes: z.array(z.object({ datastore: z.string(), type: z.string() })).exactOptional(),
  zone: z.string().exactOptional(),
  volumeZone: z.string().exactOptional(),
  securityGroups: z.array(z.string()),
  keyName: z.string().exactOptional(),
  name: z.string().exactOptional(),
  imageFormat: z.enum(['auto', 'qcow2', 'raw']),
  via: z.enum(['auto', 'glance', 'cinder']).exactOptional(),
  configDrive: z.boolean(),
  start: z.boolean(),
  waitFor: waitForSchema,
  volumeTypes: z.record(z.string(), z.object({ type: z.string(), reason: z.string() })).exactOptional(),
  hardware: z
    .object({
      reason: z.string().default('a mapping rule'),
      diskBus: z.enum(['scsi', 'virtio', 'sata', 'ide']).exactOptional(),
      scsiModel: z.string().exactOptional(),
      vifModel: z.enum(['virtio', 'vmxnet3', 'e1000', 'e1000e']).exactOptional(),
      firmwareType: z.enum(['bios', 'uefi']).exactOptional(),
      properties: z.record(z.string(), z.string()).exactOptional(),
    })
    .exactOptional(),
  createFlavor: z.boolean().exactOptional(),
  tags: z.array(z.string()).exactOptional(),
  metadata: z.record(z.string(), z.string()).exactOptional(),
});

/**
 * The options of the run: those of earlier command lines, and over them what this one says.
 * @throws UsageError for one that comes too late: what it would change has been made already.
 */
export async function takeOptions(rc: RunContext, given: Partial<MappingOptions>): Promise<MappingOptions> {
  if (rc.state.plan.has(PLANNED) && Object.keys(given).length > 0) {
    throw new UsageError(
      `Run ${rc.run} follows a plan file, so the options that say what goes where do not count.`,
      'Leave them out; or undo the run, edit the plan, and run that.',
    );
  }
  const saved = savedOptions.safeParse(rc.state.plan.get('options')).data ?? defaultMapping;
  const merged: MappingOptions = { ...saved, ...given };
  const changed = Object.keys(given).filter(
    (key) => !isSame(merged[key as keyof MappingOptions], saved[key as keyof MappingOptions]),
  );
  for (const name of Object.keys(inputs) as MadePart[]) {
    const late = inputs[name].find((key) => changed.includes(key));
    // --no-start may be taken back: the server is made later from the same plan.
    if (late === undefined || late === 'start') continue;
    if ((name !== 'flavor' && !rc.state.plan.has(name)) || !(await hasBegun(rc, name))) continue;
    throw new UsageError(
      `The option for ${late} comes too late: run ${rc.run} has its ${name} already.`,
      `Leave it out, or undo the run first: stackferry rollback ${rc.run}`,
    );
  }
  if (changed.length > 0 || !rc.state.plan.has('options')) {
    await rc.record({ kind: 'plan', section: 'options', value: merged });
  }
  return merged;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The names of everything in the cloud come from here. */
export function cloudSectionOf(cloud: Cloud): CloudSection {
  return {
    name: cloud.name,
    auth_url: cloud.authUrl,
    region: cloud.region,
    project_id: cloud.project.id,
    project_name: cloud.project.name,
  };
}

/**
 * Resolves the parts of the plan that are asked for and journals them. A part whose steps have begun keeps what was
 * resolved then: its resources are made by it. Other parts follow the newest options.
 */
export async function ensureSections(
  rc: RunContext,
  options: MappingOptions,
  names: readonly SectionName[],
): Promise<void> {
  for (const name of names) {
    if (rc.state.plan.has(name) && (await hasBegun(rc, name))) continue;
    const value = await withMadeFlavor(rc, name, await resolveSection(rc, options, name));
    if (value !== undefined && !isSame(value, rc.state.plan.get(name))) {
      await rc.record({ kind: 'plan', section: name, value });
    }
  }
}

/** A flavor that the run has made stays the server's, whatever else of the server is resolved anew. */
async function withMadeFlavor(rc: RunContext, name: SectionName, value: unknown): Promise<unknown> {
  const before = name === 'server' ? section(rc.state, 'server') : undefined;
  if (before?.create_flavor === undefined || !(await hasBegun(rc, 'flavor'))) return value;
  const { flavor_id, flavor_name, flavor_reason, create_flavor } = before;
  return { ...sections.server.parse(value), flavor_id, flavor_name, flavor_reason, create_flavor };
}

/** The options that each part is made of. A new name is taken by what is not named yet: too late after the server. */
const inputs: Record<MadePart, (keyof MappingOptions)[]> = {
  source: [],
  cloud: [],
  via: ['via'],
  images: ['imageFormat', 'hardware'],
  volumes: ['volumeType', 'datastoreTypes', 'volumeTypes', 'volumeZone'],
  ports: ['networks', 'nics', 'keepMac', 'keepIp', 'securityGroups'],
  flavor: ['flavor', 'createFlavor'],
  server: ['flavor', 'createFlavor', 'zone', 'keyName', 'name', 'configDrive', 'start', 'tags', 'metadata'],
  boot: ['waitFor'],
};

/**
 * Lets a run follow the entry of a plan file.
 * @throws UsageError where something was made already by other choices: see `plan/follow.ts`.
 */
export function followPlan(rc: RunContext, planned: PlannedVm): Promise<void> {
  return follow(rc, planned, (name) => settlePart(rc, planned, name));
}

/** What the cloud has, read once a session. */
const knownFacts = new WeakMap<RunContext, Promise<CloudFacts>>();

/** A part out of the plan file's entry that the run follows; undefined where it follows none. */
async function settled(rc: RunContext, name: SectionName): Promise<unknown> {
  const entry = rc.state.plan.get(PLANNED);
  if (entry === undefined) return undefined;
  const planned = plannedVm.safeParse(entry);
  if (planned.success) return settlePart(rc, planned.data, name);
  const [issue] = planned.error.issues;
  throw new UsageError(
    `Run ${rc.run} follows a plan that cannot be run: ${issue?.path.join('.') ?? ''}: ${issueText(issue)}.`,
    'Correct the plan file, and run it again: stackferry migrate PLAN',
  );
}

async function settlePart(rc: RunContext, planned: PlannedVm, name: SectionName): Promise<unknown> {
  if (name === 'source' || name === 'cloud') return undefined;
  if (name === 'via') return viaOf(rc, planned.via);
  let facts = knownFacts.get(rc);
  if (!facts) {
    facts = readCloudFacts(await rc.cloud(), { keypairs: planned.server.key_name !== null });
    knownFacts.set(rc, facts);
  }
  const parts = settleVm(planned, await facts);
  return name === 'boot' ? resolveBoot(parts.waitFor, section(rc.state, 'ports')) : parts[name];
}

async function resolveSection(rc: RunContext, options: MappingOptions, name: SectionName): Promise<unknown> {
  const planned = await settled(rc, name);
  if (planned !== undefined) return planned;
  switch (name) {
    case 'source':
      return section(rc.state, 'source');
    case 'cloud':
      return cloudSectionOf(await rc.cloud());
    case 'via':
      return viaOf(rc, options.via);
    case 'images': {
      const source = needSection(rc.state, 'source');
      const cloud = section(rc.state, 'cloud');
      return resolveImages(source.vm, movingDisks(rc), options, {
        host: source.host,
        now: new Date(rc.ctx.clock.now()),
        // Files that are made here (`convert`) know no cloud yet.
        measured: cloud && (await rc.measured.of(cloud)),
      });
    }
    case 'volumes': {
      const cloud = await rc.cloud();
      const [volumeTypes, zones] = await Promise.all([cloud.volumeTypes.list(), cloud.zones()]);
      assertDatastores(sourceVm(rc.state), movingDisks(rc), options);
      return resolveVolumes(sourceVm(rc.state), movingDisks(rc), options, { volumeTypes, zones });
    }
    case 'ports': {
      const vm = sourceVm(rc.state);
      const cloud = await rc.cloud();
      const [networks, subnets, securityGroups] = await Promise.all([
        cloud.networks.list(),
        cloud.networks.subnets(),
        options.securityGroups.length === 0 ? [] : cloud.securityGroups.list(),
      ]);
      return resolvePorts(vm, options, { networks, subnets, securityGroups });
    }
    case 'boot':
      return resolveBoot(options.waitFor, section(rc.state, 'ports'));
    case 'server': {
      const cloud = await rc.cloud();
      const [flavors, keypairs, zones] = await Promise.all([
        cloud.flavors.list(),
        options.keyName === undefined ? [] : cloud.keypairs.list(),
        cloud.zones(),
      ]);
      const { vm, host } = needSection(rc.state, 'source');
      return resolveServer(vm, options, { flavors, keypairs, zones }, { host, id: vm.id });
    }
  }
}

/** A run that an older program began goes on as it was begun. */
async function viaOf(rc: RunContext, wanted: MappingOptions['via']): Promise<ViaSection> {
  if (!rc.state.plan.has('via') && (await hasBegun(rc, 'via'))) {
    return { way: 'glance', reason: 'the run was begun so', server_id: null };
  }
  const canRead = rc.state.plan.get(TRANSFER) === 'direct';
  return resolveVia(wanted ?? 'auto', canRead, { cloud: await rc.cloud(), ctx: rc.ctx });
}

function movingDisks(rc: RunContext) {
  const source = needSection(rc.state, 'source');
  return source.vm.disks.filter((disk) => source.labels.includes(disk.label));
}
