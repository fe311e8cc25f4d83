import { expect, it } from 'vitest';
import { isBypassed } from '../../src/openstack/no-proxy.js';

it.each([
  ['http://nova.corp.example:8774/', 'corp.example', true],
  ['http://nova.corp.example:8774/', '.corp.example', true],
  ['http://nova.corp.example:8774/', '*.corp.example', true],
  ['http://notcorp.example/', 'corp.example', false],
  ['http://corp.example/', 'corp.example', true],
  ['http://NOVA.example/', 'nova.example', true],
  ['http://nova.example:8774/', 'nova.example:8774', true],
  ['http://nova.example:8775/', 'nova.example:8774', false],
  ['https://nova.example/', 'nova.example:443', true],
  ['http://10.1.2.3/', '10.0.0.0/8', true],
  ['http://11.1.2.3/', '10.0.0.0/8', false],
  ['http://10.1.2.3/', '10.1.2.3', true],
  ['http://110.1.2.3/', '10.1.2.3', false],
  ['http://[fd00::1]:8774/', 'fd00::/8', true],
  ['http://[fd00::1]:8774/', '[fd00::1]:8774', true],
  ['http://[fd00::1]:8774/', 'fd00::1', true],
  ['http://anything/', '*', true],
  ['http://anything/', '10.0.0.0/99', false],
  ['http://anything/', '.', false],
])('%s with NO_PROXY=%s: %s', (url, item, bypassed) => {
  expect(isBypassed(new URL(url), [item])).toBe(bypassed);
});

it('needs one entry that fits', () => {
  expect(isBypassed(new URL('http://a.b/'), [])).toBe(false);
  expect(isBypassed(new URL('http://a.b/'), ['x', 'b'])).toBe(true);
});
