import { StackferryError, formatBytes, formatRate, formatSeconds, messageOf } from '../core/index.js';
import { flatFile, type EsxiHost, type VmRecord } from '../esxi/index.js';
import { KEEP_SSH, isFreeLicense } from '../migration/host-facts.js';
import { left, type Cloud } from '../openstack/index.js';
import type { Column } from '../ui/index.js';
import { stateDir } from './app.js';
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

export type Found = Omit<Check, 'area'>;

/** This machine: Node, qemu-img, room for staged disks. */
export async function checkConverter({ app, ctx }: Tools): Promise<Check[]> {
  const { qemuImgVersion } = await import('../convert/index.js');
  const found: Found[] = [ok('node', process.version)];
  found.push(await attempt('qemu-img', async () => ok('qemu-img', await qemuImgVersion(ctx))));
  found.push(await attempt('space', () => roomIn(stateDir(app))));
  return found.map((check) => ({ area: 'converter', ...check }));
}

/** A host that is open: version, licence, time-outs that end a long batch, and the read rate. */
export async function hostFacts(host: EsxiHost): Promise<Found[]> {
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
  // What the API reads at is told beside its door.
  if (!host.ssh) return found;
  found.push(
    await attempt('read rate', async () => {
      const path = flatOf((await host.inventory()).vms)?.path;
      return path === undefined ? noDisk('read rate') : ok('read rate', await readRate(host, path));
    }),
  );
  return found;
}

/** Times a few MiB of a file (datastore form) by this door. */
export async function readRate(host: Pick<EsxiHost, 'readRate'>, path: string): Promise<string> {
  const { bytes, seconds } = await host.readRate(path, 32);
  return `${formatRate(bytes / Math.max(seconds, 0.001))} on one connection (${formatBytes(bytes)} read)`;
}

/** The first plain disk of a VM that is off: its VM, and its flat extent in datastore form. */
export function flatOf(vms: readonly VmRecord[]): { vm: VmRecord; path: string } | undefined {
  for (const vm of vms) {
    const path = vm.power_state === 'off' ? vm.disks.map(flatFile).find((one) => one !== null) : null;
    if (path) return { vm, path };
  }
  return undefined;
}

/** There is nothing that could be read to time a door. */
export function noDisk(what: string): Found {
  return unknown(what, 'no powered-off VM with a flat disk to read from');
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

export function ok(what: string, seen: string): Found {
  return { what, state: 'ok', seen, hint: null };
}

export function unknown(what: string, seen = 'not told'): Found {
  return { what, state: 'unknown', seen, hint: null };
}

export async function attempt(what: string, look: () => Promise<Found>): Promise<Found> {
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
