import { z } from 'zod';

export const keypairSchema = z.object({
  name: z.string(),
  fingerprint: z.string().optional(),
  type: z.string().optional(),
});
export type Keypair = z.infer<typeof keypairSchema>;

export interface Keypairs {
  list(): Promise<Keypair[]>;
}
