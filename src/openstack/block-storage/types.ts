import { z } from 'zod';

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
