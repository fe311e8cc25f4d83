import pLimit from 'p-limit';
import { z } from 'zod';
import { isCode } from '../../core/index.js';
import type { Call, Service } from '../service.js';
import { createOnce, recode } from '../settle.js';

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

export interface CreateFlavor {
  /** Chosen by the caller, so that a lost answer is settled by looking it up; also its name. */
  id: string;
  vcpus: number;
  /** MiB. */
  ramMib: number;
}

export interface Flavors {
  /** All flavors that the project may use, with extra_specs where the cloud shows them. */
  list(): Promise<Flavor[]>;
  find(id: string): Promise<Flavor | undefined>;
  /**
   * Makes a flavor without a root disk that this project alone may use. Throws `cloud.forbidden` where only
   * administrators may.
   */
  create(input: CreateFlavor): Promise<Flavor>;
  /** False if it was gone already. Servers that were made with it keep running. */
  delete(id: string): Promise<boolean>;
}

/** The request that makes a flavor. Source: Compute API, "Create Flavor". */
export function createFlavorCall(input: CreateFlavor): Call {
  const flavor = {
    id: input.id,
    name: input.id,
    vcpus: input.vcpus,
    ram: input.ramMib,
    disk: 0,
    'os-flavor-access:is_public': false,
  };
  return { what: `create flavor ${input.id}`, method: 'POST', path: '/flavors', json: { flavor } };
}

/** The request that lets a project use a flavor. Source: Compute API, "Add Flavor Access To Tenant". */
export function flavorAccessCall(id: string, projectId: string): Call {
  const json = { addTenantAccess: { tenant: projectId } };
  const path = `/flavors/${encodeURIComponent(id)}/action`;
  return { what: `let the project use flavor ${id}`, method: 'POST', path, json, accept: [409] };
}

const oneSchema = z.object({ flavor: flavorSchema }).transform(({ flavor }) => flavor);

export function flavorsOf(service: Service): Flavors {
  const one = (id: string, what: string) =>
    ({ what, method: 'GET', path: `/flavors/${encodeURIComponent(id)}` }) as const;
  const find = (id: string) => service.readIfThere(one(id, `look at flavor ${id}`), oneSchema);
  return {
    find,
    async create(input) {
      const call = createFlavorCall(input);
      const flavor = await createOnce(
        service.ctx,
        call.what,
        () => service.read(call, oneSchema),
        () => find(input.id),
      ).catch((error: unknown) => {
        if (!isCode(error, 'cloud.forbidden')) throw error;
        throw recode(
          error,
          'cloud.forbidden',
          'Only administrators may make flavors here: leave out --create-flavor, or ask for one.',
        );
      });
      // 409: the project may use it already.
      await service.call(flavorAccessCall(input.id, service.projectId));
      service.ctx.events.emit({ kind: 'resource.created', resource: 'flavor', id: flavor.id, name: flavor.name });
      return flavor;
    },
    async delete(id) {
      const call: Call = { ...one(id, `delete flavor ${id}`), method: 'DELETE', accept: [404] };
      const gone = (await service.call(call)).status === 404;
      if (!gone) service.ctx.events.emit({ kind: 'resource.deleted', resource: 'flavor', id, name: id });
      return !gone;
    },
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
