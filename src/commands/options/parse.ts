import { z } from 'zod';
import { Option, InvalidArgumentError, type Command } from 'commander';
import { UsageError } from '../../core/index.js';

/** Collects a repeatable option into a list. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/**
 * A whole number from `least` to `most`, for commander. A million is enough for what is counted in seconds, GiB and
 * pieces; as milliseconds it is still something that a timer can wait.
 */
export function wholeNumber(least: number, most = 1_000_000): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** An option or argument that is there and says nothing: as a rule an unset variable of a script. */
function refuseEmpty(command: Command): void {
  const empty = (value: unknown): boolean =>
    typeof value === 'string' ? value.trim() === '' : Array.isArray(value) && value.some(empty);
  const hint = 'Leave it out or give it a value; in a script, see whether a variable is unset.';
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === 'cli' && empty(command.getOptionValue(name))) {
      throw new UsageError(`${option.long ?? option.flags} is empty.`, hint);
    }
  }
  for (const [index, argument] of command.registeredArguments.entries()) {
    if (empty(command.processedArgs[index])) throw new UsageError(`The argument ${argument.name()} is empty.`, hint);
  }
}

/** `-f, --format`: how the result is printed. */
export function addFormat(command: Command): Command {
  return command.addOption(
    new Option('-f, --format <format>', 'how the result is printed')
      .choices(['table', 'json', 'yaml', 'csv'])
      .default('table'),
  );
}

export const formatSchema = z.object({ format: z.enum(['table', 'json', 'yaml', 'csv']).default('table') });

/** The options of a command (global ones included), checked against a schema. */
export function read<T>(command: Command, schema: z.ZodType<T>): T {
  refuseEmpty(command);
  const parsed = schema.safeParse(command.optsWithGlobals());
  if (parsed.success) return parsed.data;
  throw new UsageError(`Wrong options: ${z.prettifyError(parsed.error)}`, `See: stackferry ${command.name()} --help`);
}
