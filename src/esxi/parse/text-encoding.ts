/** Names that VMware writes and the Encoding Standard does not know. */
const ALIASES: Record<string, string> = {
  'windows-932': 'shift_jis',
  'windows-936': 'gbk',
  'windows-949': 'euc-kr',
  'windows-950': 'big5',
  'windows-65001': 'utf-8',
  'us-ascii': 'windows-1252',
};

/**
 * Text from bytes in a declared encoding (`UTF-8`, `windows-1252`, `Shift_JIS`, `GBK` …). Bytes that are not what they
 * are declared to be (or an unknown name) are tried as UTF-8 and then taken as windows-1252, which accepts any byte.
 */
export function decodeText(bytes: Uint8Array, declared: string | null): string {
  const name = declared?.toLowerCase() ?? 'utf-8';
  for (const label of [ALIASES[name] ?? name, 'utf-8']) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes);
    } catch {
      // An encoding that does not exist, or other bytes than declared.
    }
  }
  return new TextDecoder('windows-1252').decode(bytes);
}
