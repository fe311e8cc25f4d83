import { describe, expect, it } from 'vitest';
import { judge, type Found } from '../../src/migration/check-result.js';
import { finding, type Finding, type Severity } from '../../src/migration/findings/finding.js';

const one = (code: string, severity: Severity, subject = 'vm'): Finding =>
  finding(code, severity, subject, { message: 'It is so.', remedy: 'Do that.' });

const AT = '2026-01-02T03:04:05.000Z';

function found(given: {
  vms?: Finding[][];
  cloud?: Finding[];
  host?: Finding[];
  converter?: Finding[];
  saved?: Found['host']['saved'];
}): Found {
  return {
    vms: (given.vms ?? []).map((findings, index) => ({ vm: `web${index}`, id: String(index), findings })),
    cloud: { name: 'scs', project: 'acme', findings: given.cloud ?? [], quota: [] },
    host: { name: 'esx1', saved: given.saved ?? null, findings: given.host ?? [] },
    converter: {
      node: 'v20',
      qemu_img: '7.2',
      staging: { path: '/srv', free_bytes: 4 * 1024 ** 3, needed_bytes: 1024 ** 3 },
      findings: given.converter ?? [],
    },
  };
}

describe('judge', () => {
  it('says of each VM and of all what stands', () => {
    const all = found({
      vms: [
        [one('vm.efi', 'info')],
        [one('vm.vtpm', 'warning')],
        [one('vm.vtpm', 'warning'), one('vm.encrypted', 'blocker')],
      ],
    });
    const result = judge(all, []);
    expect(result.vms.map(({ state }) => state)).toEqual(['ready', 'warnings', 'blocked']);
    expect(result.state).toBe('blocked');
    expect(result.summary).toMatchObject({ vms: 3, ready: 1, warnings: 1, blocked: 1, accepted: 0 });
    expect(result.summary.text).toBe(
      '3 VMs: 1 ready, 1 with warnings, 1 blocked; cloud ready; host ready; converter ready; 1 GiB to stage, 4 GiB free.',
    );
  });

  it.each(['cloud', 'host', 'converter'] as const)('lets a blocker of the %s block all, and no VM', (side) => {
    const result = judge(found({ vms: [[]], [side]: [one('cloud.quota', 'blocker', side)] }), []);
    expect([result.state, result[side].state, result.vms[0]?.state]).toEqual(['blocked', 'blocked', 'ready']);
    expect(result.summary.text).toContain(`${side} blocked (cloud.quota)`);
  });

  it('does not call a host ready that nobody asked, and tells how old that is what was looked at', () => {
    const saved = { at: AT, when: '2026-01-02 03:04 UTC, 9 days ago' };
    const result = judge(found({ vms: [[]], saved }), []);
    expect([result.state, result.host.state]).toEqual(['ready', 'unknown']);
    expect(result.host).toEqual({ name: 'esx1', state: 'unknown', inventory_saved_at: AT, findings: [] });
    expect(result.summary.text).toMatch(
      /; host unknown \(not asked\); .*; inventory saved on 2026-01-02 03:04 UTC, 9 days ago; /,
    );
    const low = judge(found({ vms: [[]], host: [one('host.space', 'warning', 'host')], saved }), []);
    expect(low.host.state).toBe('warnings');
  });

  it('no longer counts what was accepted, and shows it', () => {
    const all = found({
      vms: [[one('vm.vtpm', 'warning'), one('disk.independent', 'warning', 'scsi0:1')]],
      cloud: [one('cloud.quota', 'blocker', 'cloud')],
    });
    const result = judge(all, ['vm.vtpm', 'disk.independent:scsi0:1', 'cloud.quota']);
    expect(result.state).toBe('ready');
    expect(result.vms[0]?.findings.map(({ accepted }) => accepted)).toEqual([true, true]);
    expect(result.accepted).toEqual([
      { vm: 'web0', id: '0', code: 'vm.vtpm', subject: 'vm' },
      { vm: 'web0', id: '0', code: 'disk.independent', subject: 'scsi0:1' },
      { vm: null, id: null, code: 'cloud.quota', subject: 'cloud' },
    ]);
    expect(result.summary.text).toContain('; 3 accepted.');
    expect(judge(all, ['vm.vtpm', 'cloud.quota']).state).toBe('warnings');
  });

  it('says nothing of space that is not known, and bears no VM at all', () => {
    const all = found({});
    all.converter.staging.free_bytes = null;
    expect(judge(all, []).summary.text).toBe('0 VMs; cloud ready; host ready; converter ready.');
  });
});
