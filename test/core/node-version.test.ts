import fc from 'fast-check';
import { expect, it } from 'vitest';
import { takesNode } from '../../src/core/node-version.js';

const RANGE = '^20.17.0 || ^22.13.0 || >=23.5.0';

it.each([
  ['20.17.0', true],
  ['20.20.2', true],
  ['22.13.0', true],
  ['23.5.0', true],
  ['23.10.1', true],
  ['24.0.0', true],
  ['26.1.0-nightly20260101', true],
  ['18.20.4', false],
  ['20.16.9', false],
  ['20.9.0', false],
  ['21.7.3', false],
  ['22.12.0', false],
  ['23.4.0', false],
  ['0.0.0', false],
])('Node %s: %s', (version, taken) => expect(takesNode(RANGE, version)).toBe(taken));

it('takes every one from a lower bound on, and none before it', () => {
  const part = fc.nat(30);
  fc.assert(
    fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (bound, version) => {
      const number = ([a, b, c]: readonly [number, number, number]) => (a * 100 + b) * 100 + c;
      const enough = number(version) >= number(bound);
      expect(takesNode(`>=${bound.join('.')}`, version.join('.'))).toBe(enough);
      expect(takesNode(`^${bound.join('.')}`, version.join('.'))).toBe(enough && version[0] === bound[0]);
    }),
  );
});
