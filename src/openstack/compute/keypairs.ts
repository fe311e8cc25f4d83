import { z } from 'zod';
import type { Service } from '../service.js';

export const keypairSchema = z.object({
  name: z.string(),
  fingerprint: z.string().optional(),
  type: z.string().optional(),
});
export type Keypair = z.infer<typeof keypairSchema>;

export interface Keypairs {
  list(): Promise<Keypair[]>;
}

export function keypairsOf(service: Service): Keypairs {
  return {
    list: () =>
      service.list(
        { what: 'list key pairs', path: '/os-keypairs' },
        'keypairs',
        z.object({ keypair: keypairSchema }).transform(({ keypair }) => keypair),
      ),
  };
}
