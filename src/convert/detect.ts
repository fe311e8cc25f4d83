import type { SourceFormat } from './types.js';

/** So many bytes from a file's start, and from its end, tell what it is. */
export const HEAD_BYTES = 66 * 1024;
export const TAIL_BYTES = 512;

/** What a file's content says that it is; `gzip`, `tar` and `archive` (other packed files) are no disk images. */
export type Content = Exclude<SourceFormat, 'raw'> | 'tar' | 'gzip' | 'archive';

/** Null where nothing says it: a raw disk may begin with anything. */
export function contentOf(head: Buffer, tail: Buffer): Content | null {
  const word = (at: number, length: number) => head.toString('latin1', at, at + length);
  if (word(0, 4) === 'QFI\xfb') return 'qcow2';
  if (word(0, 8) === 'vhdxfile') return 'vhdx';
  if (head.length > 68 && head.readUInt32LE(64) === 0xbeda107f) return 'vdi';
  if (word(0, 4) === 'KDMV' || word(0, 4) === 'COWD' || word(0, 8) === '\xbe\xba\xfe\xca\0\0\0\0') return 'vmdk';
  if (/^(\xef\xbb\xbf)?\s*#\s*disk\s*descriptor/i.test(word(0, 64))) return 'vmdk';
  if (word(0, 8) === 'conectix' || tail.toString('latin1', 0, 8) === 'conectix') return 'vpc';
  if (word(257, 5) === 'ustar') return 'tar';
  if (word(0, 2) === '\x1f\x8b') return 'gzip';
  return /^(PK\x03\x04|\xfd7zXZ|BZh|\(\xb5\x2f\xfd)/.test(word(0, 6)) ? 'archive' : null;
}
