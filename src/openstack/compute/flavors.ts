import { z } from 'zod';

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
