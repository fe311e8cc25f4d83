import { z } from 'zod';
import { StackferryError } from '../../core/index.js';
import { madeBy, needSection, type RunContext, type Step } from './step.js';

const KEY = 'flavor';
const flavorResult = z.object({ flavor_id: z.string() });

/** A flavor of the VM's size, where `--create-flavor` asked for one and the cloud has none. VMs of one size share it. */
export function flavorStep(state: RunContext['state']): Step {
  const { flavor_id: id, create_flavor: size } = needSection(state, 'server');
  if (!size) throw new Error('no flavor is to be made');
  const input = { id, vcpus: size.vcpus, ramMib: size.ram_mib };
  return {
    key: KEY,
    kind: 'flavor',
    subject: `flavor ${id}`,
    needs: [],
    holds: async (rc, result) => {
      const parsed = flavorResult.safeParse(result);
      return parsed.success && (await (await rc.cloud()).flavors.find(parsed.data.flavor_id)) !== undefined;
    },
    run: async (rc) => {
      const cloud = await rc.cloud();
      const result: z.infer<typeof flavorResult> = { flavor_id: id };
      const summary = `${size.vcpus} vCPU, ${size.ram_mib} MiB, no root disk`;
      const there = await cloud.flavors.find(id);
      if (there && (there.vcpus !== size.vcpus || there.ram !== size.ram_mib)) {
        throw new StackferryError('cloud.flavor_differs', `Flavor ${id} is there and has another size.`, {
          hint: 'Name a flavor with --flavor, or have that one removed.',
        });
      }
      // Of an earlier run it stays theirs: this run does not remove it.
      if (there && madeBy(rc.state, KEY, 'flavor').length === 0) return { result, summary: `${summary}, was there` };
      await rc.record({ kind: 'intent', step: KEY, resource: 'flavor', name: id, id });
      await cloud.flavors.create(input);
      await rc.record({ kind: 'made', step: KEY, resource: 'flavor', id, name: id });
      return { result, summary };
    },
    preview: async (rc) => {
      const { requests } = await rc.cloud();
      const calls = [await requests.createFlavor(input), await requests.flavorAccess(id)];
      return calls.map((call) => ({ step: KEY, ...call }));
    },
    undo: async (rc) => {
      const cloud = await rc.cloud();
      if (madeBy(rc.state, KEY, 'flavor').length === 0) return;
      const users = (await cloud.servers.list()).filter(({ flavor }) => flavor?.original_name === id);
      if (users.length > 0) {
        rc.ctx.events.emit({
          kind: 'warning',
          code: 'cloud.flavor_in_use',
          message: `Flavor ${id} stays: ${users.length} other server(s) have it.`,
          hint: `When they are gone: openstack flavor delete ${id}`,
        });
      } else {
        await cloud.flavors.delete(id);
      }
      await rc.record({ kind: 'gone', step: KEY, resource: 'flavor', id });
    },
  };
}
