import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { assertAcceptable, idle, standing } from '../../../src/migration/findings/accept.js';
import { finding } from '../../../src/migration/findings/finding.js';

const text = { message: 'It is so.', remedy: 'Do that.' };
const quota = finding('cloud.quota', 'blocker', 'cloud', text);
const shared = (label: string) => finding('disk.independent', 'warning', label, text);
const raw = finding('disk.rdm_physical', 'blocker', 'scsi0:1', text);

function refusal(work: () => unknown): StackferryError {
  try {
    work();
  } catch (error) {
    if (error instanceof StackferryError) return error;
  }
  throw new Error('it was not refused');
}

describe('standing', () => {
  it('leaves all as it is where nothing is accepted', () => {
    expect(standing([quota, raw], [])).toEqual({ standing: [quota, raw], accepted: [] });
  });

  it('takes warnings, and blockers that can be overridden, by code or by code and subject', () => {
    const all = [quota, shared('scsi0:0'), shared('scsi1:3'), raw];
    expect(standing(all, ['cloud.quota', 'disk.independent:scsi1:3'])).toEqual({
      standing: [shared('scsi0:0'), raw],
      accepted: [quota, shared('scsi1:3')],
    });
    expect(standing(all, ['disk.independent']).accepted).toHaveLength(2);
  });

  it.each([
    'disk.rdm_physical',
    'vm.encrypted',
    'disk.missing',
    'disk.chain_broken',
    'cloud.no_flavor',
    'vm.powered_on',
  ])('refuses to take the blocker %s', (code) => {
    const error = refusal(() => standing([finding(code, 'blocker', 'vm', text)], [code]));
    expect(error).toMatchObject({ code: 'accept.refused', exitCode: 3, hint: 'Do that.' });
    expect(error.message).toContain(`${code} cannot be accepted`);
  });

  it('takes a word for what is not there for nothing', () => {
    expect(standing([quota], ['disk.rdm_physical', 'disk.rdm_physical:scsi0:9']).standing).toEqual([quota]);
    expect(standing([raw], ['disk.rdm_physical:scsi0:9']).standing).toEqual([raw]);
    expect(idle(['cloud.quota', 'disk.rdm_physical:scsi0:9', 'disk.rdm_physical'], [raw, quota])).toEqual([
      'disk.rdm_physical:scsi0:9',
    ]);
  });
});

describe('assertAcceptable', () => {
  it('knows the codes of all rules and choices', () => {
    expect(() =>
      assertAcceptable(['vm.efi', 'cloud.quota', 'nic.unmapped:ethernet0', 'host.ssh_timeout']),
    ).not.toThrow();
  });

  it.each([
    ['cloud.qouta', /no finding has the code cloud\.qouta/, /cloud\.quota/],
    ['quota', /not of the form/, /Example/],
    ['cloud.quota:', /not of the form/, /Example/],
    ['nowhere.at_all', /no finding/, /stackferry check/],
  ])('refuses %s', (word, message, hint) => {
    const error = refusal(() => {
      assertAcceptable([word]);
    });
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it('says of what a plan accepts that it stands there', () => {
    const error = refusal(() => {
      assertAcceptable(['cloud.qouta'], 'accept in the plan:');
    });
    expect(error.message).toBe('accept in the plan: cloud.qouta: no finding has the code cloud.qouta.');
  });
});
