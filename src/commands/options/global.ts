import { z } from 'zod';
import type { Command } from 'commander';

/** Options that every command knows, before or after its name. */
export function addGlobalOptions(program: Command): void {
  program
    .option('-q, --quiet', 'only data, warnings and errors')
    .option('-v, --verbose', 'say more: what is made, how connections are set up, the causes of errors')
    .option('-y, --yes', 'answer yes to "Go?" (never to powering off or discarding data)');
}

export const globalSchema = z.object({
  quiet: z.boolean().default(false),
  verbose: z.boolean().default(false),
  yes: z.boolean().default(false),
});
export type GlobalOptions = z.infer<typeof globalSchema>;
