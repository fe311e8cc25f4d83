const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', "'": "\\'", '\\': '\\\\' };

/**
 * A name as a word of a command line that a hint shows, ready to be pasted into bash, zsh or ksh. Plain words stay as
 * they are; others come in single quotes; those with control characters as `$'…'`, so that the hint stays one line.
 */
export function quoteForHint(text: string): string {
  if (/^[\w.@%+=:,/-]+$/.test(text)) return text;
  if (!/[\u0000-\u001f\u007f-\u009f]/.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const escaped = text.replace(/[\u0000-\u001f\u007f-\u009f'\\]/g, (letter) => escapes[letter] ?? asBytes(letter));
  return `$'${escaped}'`;
}

/** `\ooo` of each byte in UTF-8: three digits, so that a digit behind it is not taken for one of its own. */
function asBytes(letter: string): string {
  return [...Buffer.from(letter)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
