import { expect, it } from 'vitest';
import { addAcceptances, parsePlan, writePlan } from '../../../../src/migration/plan/document/index.js';
import { vm } from '../../sample-vm.js';
import { documentOf, planOf } from './facts.js';

const { planned } = planOf(vm(), { networks: [{ source: '*', target: 'prod' }] });
const comments = [[{ path: ['server', 'flavor'], text: 'the smallest' }]];
const written = writePlan({ plan: documentOf([planned]), comments, schemaPath: '/s.json', head: ['made by hand'] });

it('adds to an empty list, and leaves every other character as it was', () => {
  const text = addAcceptances(written, ['cloud.quota', 'disk.shared:scsi0:1', 'cloud.quota']);
  expect(text).toBe(written.replace('accept: []\n', 'accept:\n  - cloud.quota\n  - disk.shared:scsi0:1\n'));
  expect(parsePlan(text ?? '', 'p').accept).toEqual(['cloud.quota', 'disk.shared:scsi0:1']);
});

it('adds to a list with comments of a person, and only what is new', () => {
  const edited = written.replace('accept: []\n', '# agreed with Eve\naccept:\n  - vm.efi # BIOS is gone\n');
  const text = addAcceptances(edited, ['vm.efi', 'cloud.quota']);
  expect(text).toBe(edited.replace('# BIOS is gone\n', '# BIOS is gone\n  - cloud.quota\n'));
  expect(addAcceptances(text ?? '', ['cloud.quota', 'vm.efi'])).toBeNull();
});

it('keeps JSON JSON', () => {
  const text = addAcceptances(JSON.stringify(documentOf([planned]), null, 2), ['cloud.quota']);
  expect((JSON.parse(text ?? '') as { accept: string[] }).accept).toEqual(['cloud.quota']);
});
