import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { parseSavedInventory } from '../../../src/migration/report/index.js';
import { vm as record } from '../sample-vm.js';
import { blocker, info, inventory, vm } from './samples.js';

const printed = inventory([vm({ findings: [info] })]);

describe('reads', () => {
  it.each([
    ['what inventory -f json prints', printed],
    ['what has a version', { version: 1, ...printed }],
    [
      'what has fields of a later program',
      { ...printed, extra: 1, vms: printed.vms.map((one) => ({ ...one, more: 2 })) },
    ],
  ])('%s', (_, given) => {
    expect(parseSavedInventory(JSON.stringify(given, null, 2), 'esx1.json')).toEqual({
      inventory: printed,
      savedAt: null,
    });
    expect(parseSavedInventory(`\uFEFF${JSON.stringify(given)}`, 'esx1.json')).toEqual({
      inventory: printed,
      savedAt: null,
    });
  });

  it('judges anew where the facts are there', () => {
    const saved = {
      version: 1,
      ...printed,
      vms: [{ ...record({ power_state: 'on', facts: { toolsRunning: true } }), findings: [info] }],
    };
    const [first] = parseSavedInventory(JSON.stringify(saved), 'esx1.json').inventory.vms;
    expect(first?.findings.map(({ code }) => code)).toEqual([blocker.code]);
  });

  it('takes a word that it does not know for not known', () => {
    const [one] = printed.vms;
    const [disk] = one?.disks ?? [];
    const saved = { ...printed, vms: [{ ...one, disks: [{ ...disk, controller: 'ufs', kind: 'vvol' }] }] };
    expect(parseSavedInventory(JSON.stringify(saved), 'x').inventory.vms[0]?.disks).toMatchObject([
      { controller: null, kind: null },
    ]);
  });
});

it.each([
  ['', 'esx1.json is empty.'],
  ['NAME POWER', 'esx1.json is not JSON.'],
  ['[]', 'esx1.json is no inventory'],
  [JSON.stringify({ ...printed, vms: [{ name: 'x' }] }), 'esx1.json is no inventory (vms.0.id'],
  [JSON.stringify({ version: 2, ...printed }), 'esx1.json was written by a newer stackferry (version 2 of the form).'],
  [
    JSON.stringify({ ...printed, vms: printed.vms.map((one) => ({ ...one, findings: undefined })) }),
    'esx1.json does not say what was found on "web01"',
  ],
])('refuses %j', (text, message) => {
  const attempt = () => parseSavedInventory(text, 'esx1.json');
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(expect.objectContaining({ code: 'inventory.unreadable', exitCode: 2 }) as Error);
});

it('never fails in another way', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseSavedInventory(text, 'x');
      } catch (error) {
        expect(error).toBeInstanceOf(StackferryError);
      }
    }),
  );
});
