/** The streams of the program and what they can do. The one way to the terminal. */
export interface Terminal {
  /** Data, and nothing else. */
  out(text: string): void;
  /** Everything that is not data. */
  err(text: string): void;
  /** A person watches stderr, so lines may be rewritten. */
  readonly live: boolean;
  /** A person can answer. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Columns of the terminal; 80 where it is none. */
  width(): number;
  /** Columns that a table on stdout may have; null where it goes into a file or a pipe, and nothing is cut. */
  readonly tableWidth: number | null;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly errStream: NodeJS.WriteStream;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Text in a colour, where the terminal shows colours. */
export function paint(terminal: Pick<Terminal, 'color'>, style: keyof typeof CODES, text: string): string {
  return terminal.color ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}

/**
 * Makes text of foreign origin (VM names, console lines) safe to show: control characters, which could move the cursor
 * or recolour the screen, become visible escapes.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
