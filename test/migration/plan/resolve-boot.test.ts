import { expect, it } from 'vitest';
import { resolveBoot } from '../../../src/migration/plan/resolve-boot.js';

it.each([{ type: 'ping' }, { type: 'tcp', port: 22 }] as const)('%j needs a port', (wait) => {
  expect(() => resolveBoot(wait, [])).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
  expect(resolveBoot(wait, [{}])).toEqual({ wait_for: wait });
  expect(resolveBoot(wait, undefined)).toEqual({ wait_for: wait });
});

it.each([{ type: 'console' }, { type: 'active' }] as const)('%j needs none', (wait) => {
  expect(resolveBoot(wait, [])).toEqual({ wait_for: wait });
});
