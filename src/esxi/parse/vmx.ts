import { StackferryError, decodeText } from '../../core/index.js';

/** More than any .vmx has; a larger file is something else. */
export const MAX_VMX_BYTES = 1024 * 1024;

/** The settings of a .vmx file. Keys are compared without regard to case. */
export class Vmx {
  readonly #values: ReadonlyMap<string, string>;
  /** Keys (lower case) that the file gives twice with different values; the last one counts. */
  readonly duplicates: readonly string[];

  constructor(values: ReadonlyMap<string, string>, duplicates: readonly string[] = []) {
    this.#values = values;
    this.duplicates = duplicates;
  }

  get(key: string): string | null {
    return this.#values.get(key.toLowerCase()) ?? null;
  }

  /** TRUE or FALSE in any case, also `1`, `yes`, `on`; the given default for a missing or empty value. */
  flag(key: string, fallback: boolean): boolean {
    const value = this.get(key)?.trim().toLowerCase() ?? '';
    if (/^(?:true|yes|on|1|t|y)$/.test(value)) return true;
    if (/^(?:false|no|off|0|f|n)$/.test(value)) return false;
    return fallback;
  }

  /** A whole number, or null for anything else. */
  number(key: string): number | null {
    const value = this.get(key)?.trim() ?? '';
    return /^\d{1,15}$/.test(value) ? Number(value) : null;
  }

  /** Keys in lower case, in the order of the file. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** What follows `prefix` and a number in the keys: `indexes('ethernet')` gives the NICs' numbers, ascending. */
  indexes(prefix: string): number[] {
    const found = new Set<number>();
    const start = prefix.toLowerCase();
    for (const key of this.#values.keys()) {
      if (!key.startsWith(start)) continue;
      const digits = /^(\d{1,3})[.:]/.exec(key.slice(start.length))?.[1];
      if (digits !== undefined) found.add(Number(digits));
    }
    return [...found].sort((a, b) => a - b);
  }
}

function bad(message: string): StackferryError {
  return new StackferryError('esxi.bad_vmx', message, {
    hint: 'Look at the file on the host; a VM whose .vmx is damaged can be registered anew from its disks.',
  });
}

/**
 * Reads a .vmx: lines `key = "value"`, comments with `#`, any line end, byte-order marks, an `.encoding` that names the
 * charset, `|22` for a byte in hexadecimal. Where a key occurs twice the last one counts (VMware's own programs call
 * such a file damaged, so nothing they wrote depends on it). Lines of another form are skipped.
 *
 * Throws `esxi.bad_vmx` for an empty file, for binary data and for text that holds no setting at all.
 */
export function parseVmx(bytes: Uint8Array): Vmx {
  if (bytes.length === 0) throw bad('The .vmx is empty.');
  if (bytes.length > MAX_VMX_BYTES) throw bad(`The .vmx is larger than ${MAX_VMX_BYTES} bytes.`);
  const { text, encoding } = decodeFile(bytes);
  if (/[\0-\x08\x0e-\x1f]/.test(text)) throw bad('The .vmx holds binary data.');
  const values = new Map<string, string>();
  const duplicates = new Set<string>();
  for (const line of text.split(/\r\n|\n|\r/)) {
    const setting = parseLine(line);
    if (!setting) continue;
    const key = setting.key.toLowerCase();
    const value = unescape(setting.value, encoding);
    const before = values.get(key);
    if (before !== undefined && before !== value) duplicates.add(key);
    values.set(key, value);
  }
  if (values.size === 0) throw bad('The .vmx holds no setting.');
  return new Vmx(values, [...duplicates]);
}

function decodeFile(bytes: Uint8Array): { text: string; encoding: string | null } {
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return { text: new TextDecoder('utf-16le').decode(bytes), encoding: 'utf-8' };
  if (a === 0xfe && b === 0xff) {
    const swapped = Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16();
    return { text: new TextDecoder('utf-16le').decode(swapped), encoding: 'utf-8' };
  }
  // The declaration is ASCII in every charset that VMware writes.
  const ascii = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const encoding = /^[^\S\r\n]*\.encoding[^\S\r\n]*=[^\S\r\n]*"?([\w.-]+)/im.exec(ascii.replace(/^\xef\xbb\xbf/, ''));
  const declared = encoding?.[1] ?? null;
  return { text: decodeText(bytes, declared).replace(/^\ufeff/, ''), encoding: declared };
}

function parseLine(line: string): { key: string; value: string } | null {
  const match = /^\s*([^\s=#"][^\s="]*)\s*=\s*([^]*?)\s*$/.exec(line);
  if (!match) return null;
  const [, key = '', right = ''] = match;
  if (!right.startsWith('"')) return { key, value: right };
  const plain = /^"([^"]*)"\s*(?:#.*)?$/.exec(right);
  if (plain) return { key, value: plain[1] ?? '' };
  // Quotes inside that were not escaped: the value runs to the last one.
  const last = right.lastIndexOf('"');
  return { key, value: last > 0 ? right.slice(1, last) : right.slice(1) };
}

/** `|XX` is a byte of the file's charset; neighbours are decoded together, for a character may have several. */
function unescape(value: string, encoding: string | null): string {
  return value.replace(/(?:\|[0-9a-f]{2})+/gi, (run) =>
    decodeText(Buffer.from(run.replaceAll('|', ''), 'hex'), encoding),
  );
}
