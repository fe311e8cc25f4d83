import { StackferryError, formatBytes, formatRate, formatSeconds, messageOf } from '../core/index.js';
import type { EsxiHost, VmRecord } from '../esxi/index.js';
import { KEEP_SSH, isFreeLicense } from '../migration/host-facts.js';
import { left, type Cloud } from '../openstack/index.js';
import type { Column } from '../ui/index.js';
import { stateDir } from './app.js';
import type { SourceOptions } from './options/source.js';
import { esxiTransport, sourceTarget } from './options/source.js';
import { openCloud, type TargetOptions } from './options/target.js';
import type { Tools } from './tools.js';

/** One thing that was looked at. */
export interface Check {
  area: 'converter' | 'host' | 'cloud';
  what: string;
  /** `unknown`: it could not be seen; `skipped`: not asked for. */
  state: 'ok' | 'bad' | 'warning' | 'unknown' | 'skipped';
  seen: string;
  hint: string | null;
}

export const columns: Column<Check>[] = [
  { name: 'area', value: (row) => row.area },
  { name: 'what', value: (row) => row.what },
  { name: 'state', value: (row) => row.state },
  { name: 'seen', value: (row) => row.seen, fit: true },
];

type Found = Omit<Check, 'area'>;

/** This machine: Node, qemu-img, room for staged disks. */
export async function checkConverter({ app, ctx }: Tools): Promise<Check[]> {
  const { qemuImgVersion } = await import('../convert/index.js');
  const found: Found[] = [ok('node', process.version)];
  found.push(await attempt('qemu-img', async () => ok('qemu-img', await qemuImgVersion(ctx))));
  found.push(await attempt('space', () => roomIn(stateDir(app))));
  return found.map((check) => ({ area: 'converter', ...check }));
}

/** The host: version, licence, how the login went, time-outs that end a long batch, and the read rate. */
export async function checkHost(tools: Tools, options: SourceOptions): Promise<Check[]> {
  const named = options.esxi ?? tools.app.env['STACKFERRY_ESXI'] ?? tools.app.env['GOVC_URL'];
  if (named === undefined || named === '') {
    return [{ area: 'host', what: 'ssh', state: 'skipped', seen: 'no host named', hint: 'Name one with --esxi HOST.' }];
  }
  const door = esxiTransport(tools.app, options); // a wrong option is wrong usage, not a host that does not work
  sourceTarget(tools.app, options);
  const found: Found[] = [];
  let host: EsxiHost | undefined;
  found.push(
    await attempt(door, async () => {
      host = await tools.host(options);
      return ok(door, `${host.name} answers`);
    }),
  );
  if (host) found.push(...(await hostFacts(host)));
  return found.map((check) => ({ area: 'host', ...check }));
}

async function hostFacts(host: EsxiHost): Promise<Found[]> {
  const found: Found[] = [];
  found.push(
    await attempt('version', async () => {
      const about = await host.about();
      const name = [about.product, about.version].filter((part) => part !== null).join(' ');
      return name === ''
        ? unknown('version')
        : ok('version', `${name}${about.build === null ? '' : ` build ${about.build}`}`);
    }),
  );
  found.push(
    await attempt('license', async () => {
      const { license } = await host.about();
      if (license === null) return unknown('license');
      return isFreeLicense(license)
        ? {
            ...ok('license', `${license}: the free licence`),
            hint: 'Its API refuses changes; stackferry works over SSH and needs none.',
          }
        : ok('license', license);
    }),
  );
  found.push(
    await attempt('shell time-out', async () => {
      const { shellSeconds, interactiveSeconds } = await host.shellTimeouts();
      if (shellSeconds === null) return unknown('shell time-out');
      const idle =
        interactiveSeconds === null || interactiveSeconds === 0
          ? ''
          : `, idle shells after ${formatSeconds(interactiveSeconds)}`;
      if (shellSeconds === 0) return ok('shell time-out', `none${idle}`);
      return {
        what: 'shell time-out',
        state: 'warning',
        seen: `the host ends SSH after ${formatSeconds(shellSeconds)}${idle}`,
        hint: `A longer batch is cut off by it (and can be resumed). ${KEEP_SSH}`,
      };
    }),
  );
  found.push(await attempt('read rate', () => readRate(host)));
  return found;
}

/** Times a few MiB of the first disk that can be read. */
async function readRate(host: EsxiHost): Promise<Found> {
  const { vms } = await host.inventory();
  const candidate = vms.find((vm) => vm.power_state === 'off' && flatDisk(vm) !== null);
  const path = candidate ? flatDisk(candidate) : null;
  if (path === null) return unknown('read rate', 'no powered-off VM with a flat disk to read from');
  const { bytes, seconds } = await host.readRate(path, 32);
  return ok(
    'read rate',
    `${formatRate(bytes / Math.max(seconds, 0.001))} on one connection (${formatBytes(bytes)} read)`,
  );
}

/** The flat extent of a VM's first plain disk, in datastore form. */
function flatDisk(vm: VmRecord): string | null {
  const disk = vm.disks.find((item) => item.kind === 'flat' && item.chain.length === 1 && item.path !== null);
  return disk?.path?.replace(/\.vmdk$/i, '-flat.vmdk') ?? null;
}

/** The cloud: login, services, what is left of the quota. */
export async function checkCloud(tools: Tools, options: TargetOptions): Promise<Check[]> {
  const found: Found[] = [];
  let cloud: Cloud | undefined;
  found.push(
    await attempt('login', async () => {
      cloud = await openCloud(tools.app, options, tools.ctx);
      return ok('login', `${cloud.name}, project ${cloud.project.name} as ${cloud.user.name}`);
    }),
  );
  const noCloud = !cloud && found[0]?.hint?.includes('clouds.yaml') === true && options.osCloud === undefined;
  if (noCloud && found[0] && tools.app.env['OS_AUTH_URL'] === undefined && tools.app.env['OS_CLOUD'] === undefined) {
    return [
      {
        area: 'cloud',
        what: 'login',
        state: 'skipped',
        seen: 'no cloud named',
        hint: 'Name one with --os-cloud NAME.',
      },
    ];
  }
  if (cloud) {
    try {
      found.push(...(await cloudFacts(cloud)));
    } finally {
      cloud.close();
    }
  }
  return found.map((check) => ({ area: 'cloud', ...check }));
}

async function cloudFacts(cloud: Cloud): Promise<Found[]> {
  const found: Found[] = [];
  for (const service of await cloud.services()) {
    const seen =
      service.error ?? `${service.url}${service.microversion === null ? '' : ` up to ${service.microversion}`}`;
    const state = service.error === null ? 'ok' : 'bad';
    found.push({
      what: service.type,
      state,
      seen,
      hint: service.error === null ? null : `The ${service.type} service does not answer.`,
    });
  }
  found.push(
    await attempt('quota left', async () => {
      const limits = await cloud.limits();
      const text = (value: number | null) =>
        value === null ? 'unknown' : value === Infinity ? 'unlimited' : String(value);
      const servers = limits.compute ? text(left(limits.compute.instances)) : 'unknown';
      const cores = limits.compute ? text(left(limits.compute.cores)) : 'unknown';
      const gib = limits.volume ? text(left(limits.volume.gigabytes)) : 'unknown';
      const none = [servers, cores, gib].includes('0');
      return {
        what: 'quota left',
        state: none ? 'warning' : 'ok',
        seen: `${servers} servers, ${cores} cores, ${gib} GiB of volumes`,
        hint: none ? 'Nothing more fits into this project: ask for a larger quota.' : null,
      };
    }),
  );
  found.push({ what: 'storage backend', state: 'unknown', seen: 'not shown to members', hint: null });
  return found;
}

function ok(what: string, seen: string): Found {
  return { what, state: 'ok', seen, hint: null };
}

function unknown(what: string, seen = 'not told'): Found {
  return { what, state: 'unknown', seen, hint: null };
}

async function attempt(what: string, look: () => Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof StackferryError && error.code === 'interrupted') throw error;
    const hint = error instanceof StackferryError ? (error.hint ?? null) : null;
    return { what, state: 'bad', seen: messageOf(error), hint };
  }
}

/** Room under the folder where disks are staged. */
async function roomIn(dir: string): Promise<Found> {
  const { STAGING_HINT, roomUnder } = await import('../migration/converter-facts.js');
  const free = await roomUnder(dir);
  if (free === Infinity) {
    return { ...unknown('space', `${dir} is on a file system that tells no size`), hint: STAGING_HINT };
  }
  return ok(
    'space',
    `${formatBytes(free)} free under ${dir}; files of disks lie there where some are made and --output is not given`,
  );
}
