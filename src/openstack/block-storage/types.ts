import { z } from 'zod';
import type { Service } from '../service.js';

/** A volume type. `description` may open with SCS aspects: `[scs:encrypted, replicated]` (SCS-0114). */
export const volumeTypeSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullish(),
  is_public: z.boolean().optional(),
  extra_specs: z.record(z.string(), z.string()).default({}),
});
export type VolumeType = z.infer<typeof volumeTypeSchema>;

export interface VolumeTypes {
  list(): Promise<VolumeType[]>;
  /** The type that a volume gets if none is named; undefined where the cloud does not say. */
  default(): Promise<VolumeType | undefined>;
}

export function volumeTypesOf(service: Service): VolumeTypes {
  return {
    list: () => service.list({ what: 'list volume types', path: '/types' }, 'volume_types', volumeTypeSchema),
    default: () =>
      service.readIfThere(
        { what: 'ask for the default volume type', method: 'GET', path: '/types/default', accept: [403] },
        z.object({ volume_type: volumeTypeSchema.optional() }).transform(({ volume_type }) => volume_type),
      ),
  };
}
