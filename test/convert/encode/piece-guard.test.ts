import { describe, expect, it } from 'vitest';
import { PieceGuard } from '../../../src/convert/index.js';
import type { DiskPiece } from '../../../src/disk/index.js';

const PIECES: DiskPiece[] = [
  { offset: 0, bytes: Buffer.alloc(8, 1) },
  { offset: 8, bytes: Buffer.alloc(0) },
  { offset: 64, bytes: Buffer.alloc(8, 1) },
];
const [ONE, , TWO] = PIECES as [DiskPiece, DiskPiece, DiskPiece];

/** The same bytes but for one bit. */
function flipped(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes);
  other[5] = (other[5] ?? 0) ^ 0x10;
  return other;
}

/** What a guard says of an encoder that was given PIECES, and gave these. */
async function judged(given: readonly DiskPiece[]): Promise<void> {
  const guard = new PieceGuard('scsi0:0');
  async function* source(): AsyncGenerator<DiskPiece> {
    for (const piece of PIECES) yield await Promise.resolve(piece);
  }
  for await (const piece of guard.taken(source())) expect(PIECES).toContain(piece);
  for (const { bytes, offset } of given) guard.given(bytes, offset);
  guard.assertSame();
}

describe('what leaves an encoder', () => {
  it('is what went in: the same bytes, for the same place, in the same order', async () => {
    await judged([ONE, { offset: 64, bytes: TWO.bytes.subarray(0) }]);
  });

  it.each<[string, DiskPiece[]]>([
    ['less', [ONE]],
    ['more', [ONE, TWO, TWO]],
    ['the order', [TWO, ONE]],
    ['one bit', [ONE, { offset: 64, bytes: flipped(TWO.bytes) }]],
    ['another place', [ONE, { offset: 65, bytes: TWO.bytes }]],
    ['a shorter piece', [ONE, { offset: 64, bytes: TWO.bytes.subarray(0, 7) }]],
  ])('is told where it is not: %s', async (_what, given) => {
    await expect(judged(given)).rejects.toMatchObject({ code: 'convert.content_differs' });
  });

  it('is told where its memory changes inside', async () => {
    const piece = { offset: 0, bytes: Buffer.alloc(8, 1) };
    const guard = new PieceGuard('scsi0:0');
    async function* source(): AsyncGenerator<DiskPiece> {
      yield await Promise.resolve(piece);
    }
    for await (const { bytes } of guard.taken(source())) bytes[3] = 0;
    guard.given(piece.bytes, 0);
    expect(() => guard.assertSame()).toThrow(expect.objectContaining({ code: 'convert.content_differs' }));
  });
});
