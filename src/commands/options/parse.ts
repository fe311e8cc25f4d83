import { z } from 'zod';
import { Option, InvalidArgumentError, type Command } from 'commander';
import { UsageError } from '../../core/index.js';

/** Collects a repeatable option into a list. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** A whole number of at least `least`, for commander. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
    }
    return value;
  };
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
  const parsed = schema.safeParse(command.optsWithGlobals());
  if (parsed.success) return parsed.data;
  throw new UsageError(`Wrong options: ${z.prettifyError(parsed.error)}`, `See: stackferry ${command.name()} --help`);
}
