import pLimit from 'p-limit';
import { z } from 'zod';
import type { Service } from '../service.js';

/** A flavor as `GET /flavors/detail` shows it. */
export const flavorSchema = z.object({
  id: z.string(),
  name: z.string(),
  vcpus: z.number(),
  /** MiB. */
  ram: z.number(),
  /** GiB; 0 means that the server brings its own root disk. */
  disk: z.number(),
  'OS-FLV-EXT-DATA:ephemeral': z.number().default(0),
  'OS-FLV-DISABLED:disabled': z.boolean().default(false),
  'os-flavor-access:is_public': z.boolean().default(true),
  description: z.string().nullish(),
  extra_specs: z.record(z.string(), z.string()).default({}),
});
export type Flavor = z.infer<typeof flavorSchema>;

export interface Flavors {
  /** All flavors that the project may use, with extra_specs where the cloud shows them. */
  list(): Promise<Flavor[]>;
}

export function flavorsOf(service: Service): Flavors {
  return {
    async list() {
      const flavors = await service.list({ what: 'list flavors', path: '/flavors/detail' }, 'flavors', flavorSchema);
      // Before microversion 2.61 the list does not hold them.
      if (await service.has('2.61')) return flavors;
      const limit = pLimit(8);
      return Promise.all(
        flavors.map((flavor) => limit(async () => ({ ...flavor, extra_specs: await extraSpecs(flavor) }))),
      );
    },
  };

  async function extraSpecs({ id }: Flavor): Promise<Record<string, string>> {
    const call = {
      what: `read the extra specs of flavor ${id}`,
      method: 'GET',
      path: `/flavors/${encodeURIComponent(id)}/os-extra_specs`,
      accept: [403, 404],
    } as const;
    const answer = await service.call(call);
    if (answer.status >= 400) return {};
    return service.checked(call, answer.body, z.object({ extra_specs: flavorSchema.shape.extra_specs })).extra_specs;
  }
}
