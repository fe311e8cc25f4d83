/** Names that VMware writes and the Encoding Standard does not know. */
const ALIASES: Record<string, string> = {
  'windows-932': 'shift_jis',
  'windows-936': 'gbk',
  'windows-949': 'euc-kr',
  'windows-950': 'big5',
  'windows-65001': 'utf-8',
  'us-ascii': 'windows-1252',
};

/** What windows-1252 has at 0x80 to 0x9f (Encoding Standard, index windows-1252). */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Node 20's own decoder takes windows-1252 for ISO-8859-1 and leaves 0x80 to 0x9f as control characters. */
function decodeWindows1252(bytes: Uint8Array): string {
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return latin1.replace(/[\x80-\x9f]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80] ?? char);
}

/**
 * Text from bytes in a declared encoding (`UTF-8`, `windows-1252`, `Shift_JIS`, `GBK` …). Bytes that are not what they
 * are declared to be (or an unknown name) are tried as UTF-8 and then taken as windows-1252, which accepts any byte.
 */
export function decodeText(bytes: Uint8Array, declared: string | null): string {
  const name = declared?.toLowerCase() ?? 'utf-8';
  for (const label of [ALIASES[name] ?? name, 'utf-8']) {
    try {
      const decoder = new TextDecoder(label, { fatal: true });
      return decoder.encoding === 'windows-1252' ? decodeWindows1252(bytes) : decoder.decode(bytes);
    } catch {
      // An encoding that does not exist, or other bytes than declared.
    }
  }
  return decodeWindows1252(bytes);
}
