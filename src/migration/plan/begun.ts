import type { ResourceKind } from '../../core/index.js';
import type { Cloud, MarkerFilter } from '../../openstack/index.js';
import type { MadeResource } from '../state/fold.js';
import type { RunContext } from '../steps/step.js';
import type { SectionName } from './sections.js';

/** A part of the plan that is kept once something was made by it. A flavor of the VM's size is made before the server. */
export type MadePart = SectionName | 'flavor';

/** Keys of the steps that read a part begin so. */
const readers: Record<MadePart, string[]> = {
  source: ['source', 'export:', 'convert:'],
  cloud: ['image:', 'volume:', 'data:', 'port:', 'flavor', 'server'],
  via: ['convert:', 'image:', 'volume:', 'data:'],
  images: ['convert:', 'image:', 'data:'],
  volumes: ['volume:'],
  ports: ['port:'],
  flavor: ['flavor'],
  server: ['server'],
  boot: ['boot'],
};

/**
 * Whether something was made by this part of the plan. A step that failed before it made anything leaves its part free
 * to be resolved anew (another flavor, say). Where the journal holds an intent alone, the cloud is asked by its mark.
 */
export async function hasBegun(rc: RunContext, part: MadePart): Promise<boolean> {
  const begins = (key: string) => readers[part].some((prefix) => key.startsWith(prefix));
  if ([...rc.state.steps].some(([key, step]) => begins(key) && step.state === 'done')) return true;
  const live = rc.state.resources.filter((item) => !item.gone && begins(item.step));
  if (live.some(({ id }) => id !== null)) return true;
  for (const intent of live) if (await isThere(rc, intent)) return true;
  return false;
}

async function isThere(rc: RunContext, { step, resource }: MadeResource): Promise<boolean> {
  const find = finders[resource];
  // What cannot be looked up by a mark counts as made.
  if (!find) return true;
  return (await find(await rc.cloud(), { run: rc.run, step })).length > 0;
}

const finders: Partial<Record<ResourceKind, (cloud: Cloud, mark: MarkerFilter) => Promise<unknown[]>>> = {
  image: (cloud, mark) => cloud.images.findByMarker(mark),
  volume: (cloud, mark) => cloud.volumes.findByMarker(mark),
  port: (cloud, mark) => cloud.ports.findByMarker(mark),
  server: (cloud, mark) => cloud.servers.findByMarker(mark),
};
