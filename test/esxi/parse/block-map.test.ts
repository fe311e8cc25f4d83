import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../../src/core/index.js';
import { BlockMapParser } from '../../../src/esxi/parse/block-map.js';

/** The form that other tools look for; no recording of it exists. */
const TYPES = { data: 'VMFS -- LVID:5f-2a/5f-2a/1:', zeroed: 'VMFS Z- LVID:5f-2a/5f-2a/1:', absent: 'NOMP -- :' };
type Kind = keyof typeof TYPES;

function line(offset: number, length: number, kind: Kind): string {
  return `[${String(offset).padStart(12)}:${String(length).padStart(12)}] --> [${TYPES[kind]}(${offset} --> ${offset + length})]\n`;
}

function parse(text: string, bytes: number, step = text.length || 1) {
  const parser = new BlockMapParser(bytes);
  for (let at = 0; at < text.length; at += step) parser.push(text.slice(at, at + step));
  return parser.end();
}

describe('the block map of vmkfstools -t0', () => {
  it('sorts runs by what they hold', () => {
    const text = line(0, MIB, 'data') + line(MIB, 2 * MIB, 'absent') + line(3 * MIB, MIB, 'zeroed');
    const map = parse(text, 4 * MIB);
    if (typeof map === 'string') throw new Error(map);
    expect([...map.data]).toEqual([{ offset: 0, length: MIB }]);
    expect([...map.absent]).toEqual([{ offset: MIB, length: 2 * MIB }]);
    expect([...map.zeroed]).toEqual([{ offset: 3 * MIB, length: MIB }]);
  });

  it('takes a type or flag that it does not know for data', () => {
    const odd =
      '[           0:     1048576] --> [NFS! -- ?:(0 --> 1048576)]\n[     1048576:     1048576] --> [NOMP X- :(0 --> 1)]\n';
    const map = parse(odd, 2 * MIB);
    if (typeof map === 'string') throw new Error(map);
    expect(map.data.bytes).toBe(2 * MIB);
  });

  it.each([
    ['no line at all', '', /covers 0 of/],
    ['a gap', line(0, MIB, 'data') + line(2 * MIB, 2 * MIB, 'data'), /not in order at byte 1048576/],
    ['an overlap', line(0, 2 * MIB, 'data') + line(MIB, 3 * MIB, 'data'), /not in order/],
    ['an early end', line(0, 3 * MIB, 'data'), /covers 3145728 of 4194304/],
    ['runs past the end', line(0, 8 * MIB, 'absent'), /after the file's end/],
    ['an empty run', line(0, 0, 'absent') + line(0, 4 * MIB, 'data'), /no known form/],
    ['an error in its place', "Failed to open 'x': Function not implemented (38).\n", /no known form: "Failed/],
    ['a line without an end', 'x'.repeat(3000), /does not end|no known form/],
    ['a number that no file has', `[0: 9999999999999999] --> [NOMP -- :(0 --> 1)]\n`, /no known form|after the file/],
  ])('is unusable with %s', (_what, text, why) => {
    const result = parse(text, 4 * MIB);
    expect(typeof result).toBe('string');
    expect(result).toMatch(why);
  });

  it('gives back what was written, however the text is cut', () => {
    const runs = fc.array(
      fc.record({ blocks: fc.integer({ min: 1, max: 50 }), kind: fc.constantFrom<Kind>('data', 'zeroed', 'absent') }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 200 }), (list, step) => {
        let at = 0;
        let text = '';
        const bytes = { data: 0, zeroed: 0, absent: 0 };
        for (const { blocks, kind } of list) {
          text += line(at, blocks * MIB, kind);
          bytes[kind] += blocks * MIB;
          at += blocks * MIB;
        }
        const map = parse(text, at, step);
        if (typeof map === 'string') throw new Error(map);
        expect({ data: map.data.bytes, zeroed: map.zeroed.bytes, absent: map.absent.bytes }).toEqual(bytes);
      }),
    );
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (text) => {
        expect(typeof parse(text, MIB)).toBe('string');
      }),
    );
  });
});
