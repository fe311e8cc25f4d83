import { describe, expect, it } from 'vitest';
import { resolveBoot } from '../../../src/migration/plan/resolve-boot.js';
import { followPlan, ensureSections } from '../../../src/migration/plan/resolve.js';
import type { PlannedVm } from '../../../src/migration/plan/document/index.js';
import { defaultMapping, type MappingOptions } from '../../../src/migration/plan/options.js';
import { applyLine, foldJournal, type RunState } from '../../../src/migration/state/fold.js';
import type { RunContext } from '../../../src/migration/steps/step.js';
import type { Cloud } from '../../../src/openstack/index.js';
import { vm } from '../sample-vm.js';
import { cloudFacts, planOf } from './document/facts.js';

const at = '2026-11-25T00:00:00Z';
const prod = { networks: [{ source: '*', target: 'prod' }] };

/** A run whose journal is in memory, in a cloud that lists `marked` as what carries the mark of a step. */
function newRun(marked: Record<string, string[]> = {}): { rc: RunContext; state: RunState } {
  const state = foldJournal([
    { at, kind: 'run.opened', version: 1, run: 'r7', program: '0', command: 'migrate', vm: null },
  ]);
  if (!state) throw new Error('no run');
  const facts = cloudFacts();
  const find = ({ step = '' }: { step?: string }) => Promise.resolve((marked[step] ?? []).map((id) => ({ id })));
  const list = <T>(items: T) => ({ list: () => Promise.resolve(items), findByMarker: find });
  const cloud = {
    networks: { ...list(facts.networks), subnets: () => Promise.resolve(facts.subnets) },
    securityGroups: list(facts.securityGroups),
    volumeTypes: list(facts.volumeTypes),
    flavors: list(facts.flavors),
    keypairs: list(facts.keypairs),
    zones: () => Promise.resolve(facts.zones),
    images: list([]),
    volumes: list([]),
    ports: list([]),
    servers: list([]),
  } as unknown as Cloud;
  const rc = {
    run: 'r7',
    state,
    record: (entry: object) => {
      applyLine(state, { at, ...entry } as never);
      return Promise.resolve();
    },
    cloud: () => Promise.resolve(cloud),
  } as unknown as RunContext;
  return { rc, state };
}

const entry = (more: Partial<MappingOptions> = {}) => planOf(vm(), { ...prod, ...more });
const edited = (planned: PlannedVm, edit: (planned: PlannedVm) => void): PlannedVm => {
  const copy = structuredClone(planned);
  edit(copy);
  return copy;
};
const SECTIONS = ['images', 'volumes', 'ports', 'server', 'boot'] as const;
const settle = (rc: RunContext) => ensureSections(rc, defaultMapping, SECTIONS);

/** A run of a plan that has images and volumes, and whose server was refused. */
async function refusedServer(marked?: Record<string, string[]>) {
  const { rc, state } = newRun(marked);
  const { planned } = entry();
  await followPlan(rc, planned);
  await settle(rc);
  for (const step of ['convert:scsi0:0', 'image:scsi0:0', 'volume:scsi0:0']) {
    await rc.record({ kind: 'step.done', step, seconds: 1, result: {} });
  }
  await rc.record({ kind: 'made', step: 'volume:scsi0:0', resource: 'volume', id: 'v-1', name: 'web01-scsi0:0' });
  await rc.record({ kind: 'intent', step: 'server', resource: 'server', name: 'web01' });
  await rc.record({ kind: 'step.failed', step: 'server', code: 'cloud.bad_request', message: 'No.' });
  return { rc, state, planned };
}

describe('followPlan', () => {
  it('lets a corrected plan decide of what nothing was made by yet, also where it was asked for and refused', async () => {
    const { rc, state, planned } = await refusedServer();
    const better = edited(planned, (copy) => {
      copy.server.name = 'web-a';
      copy.server.hostname = 'web-a';
      copy.server.metadata = { owner: 'alice' };
      copy.vm.power_state = 'on';
    });
    await followPlan(rc, better);
    await settle(rc);
    expect(state.plan.get('server')).toMatchObject({ name: 'web-a', hostname: 'web-a', metadata: { owner: 'alice' } });
    expect(state.plan.get('volumes')).toMatchObject([{ name: 'web01-scsi0:0' }]);
  });

  it('refuses another choice of what is made, and says which', async () => {
    const { rc, planned } = await refusedServer();
    const other = edited(planned, (copy) => copy.volumes.forEach((volume) => (volume.size_gib = 50)));
    await expect(followPlan(rc, other)).rejects.toMatchObject({
      code: 'usage',
      message: 'Run r7 has made its volumes already, and by this plan they would be others: scsi0:0 size_gib 40 -> 50.',
      hint: expect.stringContaining('stackferry rollback r7') as string,
    });
    // The order in which a person writes properties says nothing.
    const turned = edited(planned, (copy) =>
      copy.images.forEach(
        (image) => (image.properties = Object.fromEntries(Object.entries(image.properties).reverse())),
      ),
    );
    await followPlan(rc, turned);
  });

  it('takes a server that the cloud holds by its mark for made, though its answer was lost', async () => {
    const { rc, planned } = await refusedServer({ server: ['s-1'] });
    const other = edited(planned, (copy) => (copy.server.name = 'web-a'));
    await expect(followPlan(rc, other)).rejects.toThrow(
      'has made its server already, and by this plan they would be others: name "web01" -> "web-a"',
    );
  });

  it('takes a run over that was begun by options, where what it made is the same', async () => {
    const { rc, state } = newRun();
    const { resolved, planned } = entry();
    const { images, volumes, ports, server } = resolved;
    const boot = resolveBoot(resolved.waitFor, ports);
    for (const [section, value] of Object.entries({ images, volumes, ports, server, boot })) {
      await rc.record({ kind: 'plan', section, value });
    }
    await rc.record({ kind: 'step.done', step: 'image:scsi0:0', seconds: 1, result: {} });
    const later = edited(planned, (copy) => {
      copy.server.name = 'web-a';
      copy.images.forEach((image) => (image.properties['image_build_date'] = '2026-12-24 00:00:00'));
    });
    const other = edited(later, (copy) => copy.images.forEach((image) => (image.format = 'raw')));
    await expect(followPlan(rc, other)).rejects.toThrow('scsi0:0 format "qcow2" -> "raw"');
    await followPlan(rc, later);
    await settle(rc);
    expect(state.plan.get('server')).toMatchObject({ name: 'web-a' });
  });

  it('keeps a flavor that was made for the server, and takes the rest of it from the plan', async () => {
    const { rc, state } = newRun();
    const { planned } = planOf(vm({ cpus: 3 }), { ...prod, createFlavor: true });
    await followPlan(rc, planned);
    await settle(rc);
    await rc.record({ kind: 'made', step: 'flavor', resource: 'flavor', id: 'stackferry-3-4096', name: 'f' });
    await rc.record({ kind: 'step.done', step: 'flavor', seconds: 1, result: {} });
    await followPlan(
      rc,
      edited(planned, (copy) => (copy.server.name = 'web-a')),
    );
    await settle(rc);
    expect(state.plan.get('server')).toMatchObject({
      name: 'web-a',
      flavor_id: 'stackferry-3-4096',
      create_flavor: { vcpus: 3, ram_mib: 4096 },
    });
    const other = edited(planned, (copy) => Object.assign(copy.server, { flavor: 'SCS-4V-16', create_flavor: null }));
    await expect(followPlan(rc, other)).rejects.toThrow('has made its flavor already');
  });
});
