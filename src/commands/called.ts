import type { Command } from 'commander';

/** The command that was called, as far as its line could be read. */
export interface CalledCommand {
  /** `migrate`; null where none was named. */
  name: string | null;
  /** The format that was asked for; null where none was, or where stdout is for an image (`--output -`). */
  format: string | null;
  /** `--vm`, where it was given once or is not repeatable. */
  vm: string | null;
  /** `migrate --again`. */
  again: boolean;
}

/**
 * Looks which command was called and what was asked of it, also after its line was refused: the options that were read
 * before the wrong one are known; a format behind it is found among the words.
 */
export function calledCommand(program: Command, words: readonly string[]): CalledCommand {
  const first = words.find((word) => !word.startsWith('-'));
  const command = program.commands.find((item) => item.name() === first);
  if (!command) return { name: null, format: saidFormat(words), vm: null, again: false };
  const options: Record<string, unknown> = command.opts();
  const read = command.getOptionValueSource('format') === 'cli' ? options['format'] : undefined;
  return {
    name: command.name(),
    format: isForImage(words) ? null : typeof read === 'string' ? read : saidFormat(words),
    vm: onlyText(options['vm']),
    again: options['again'] === true,
  };
}

/** What reads an image from a pipe must not get an error's text for one. */
function isForImage(words: readonly string[]): boolean {
  return words.some(
    (word, index) => /^(--output=-|-o-)$/.test(word) || (/^(-o|--output)$/.test(word) && words[index + 1] === '-'),
  );
}

function saidFormat(words: readonly string[]): string | null {
  for (const [index, word] of words.entries()) {
    if (word === '--') return null;
    if (word === '-f' || word === '--format') return words[index + 1] ?? null;
    const joined = /^(?:-f|--format=)(.+)$/.exec(word)?.[1];
    if (joined !== undefined) return joined;
  }
  return null;
}

/** A text, or the only one of a list. */
function onlyText(value: unknown): string | null {
  const [only, ...more] = (Array.isArray(value) ? value : [value]) as unknown[];
  return typeof only === 'string' && more.length === 0 ? only : null;
}
