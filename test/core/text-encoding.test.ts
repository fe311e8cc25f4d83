import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../src/core/index.js';

describe('decodeText', () => {
  it('decodes what is declared', () => {
    expect(decodeText(Buffer.from([0x80, 0x20, 0xe4]), 'windows-1252')).toBe('€ ä');
    expect(decodeText(Buffer.from([0x93, 0xfa]), 'Shift_JIS')).toBe('日');
    expect(decodeText(Buffer.from([0x93, 0xfa]), 'windows-932')).toBe('日');
    expect(decodeText(Buffer.from('größe'), 'UTF-8')).toBe('größe');
  });

  it('takes bytes that are not what they claim for windows-1252', () => {
    expect(decodeText(Buffer.from([0x67, 0x72, 0xf6, 0xdf]), 'UTF-8')).toBe('größ');
    expect(decodeText(Buffer.from([0x80]), 'no-such-encoding')).toBe('€');
  });

  it('reads back every text in UTF-8 and never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // A leading byte order mark is no part of the text.
        expect(decodeText(Buffer.from(text), null)).toBe(text.replace(/^\ufeff/, ''));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom('UTF-8', 'GBK', 'windows-1252', 'x'), (bytes, name) => {
        expect(typeof decodeText(bytes, name)).toBe('string');
      }),
    );
  });
});
