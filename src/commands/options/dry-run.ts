import { z } from 'zod';
import type { Command } from 'commander';
import type { PlannedCall } from '../../migration/steps/step.js';
import type { Format, Terminal } from '../../ui/index.js';

/** `--dry-run`, the same on every command that changes something. */
export function addDryRun(command: Command): Command {
  return command.option('--dry-run', 'print what would be changed, each call in order with its body; changes nothing');
}

export const dryRunSchema = z.object({ dryRun: z.boolean().default(false) });

/** Ends a dry run by printing what was collected; false where the command was meant. */
export async function endDry(
  terminal: Pick<Terminal, 'out'>,
  format: Format,
  base: { dry?: readonly PlannedCall[] },
): Promise<boolean> {
  if (!base.dry) return false;
  const { printCalls } = await import('../calls-text.js');
  await printCalls((text) => terminal.out(text), format, base.dry);
  return true;
}
