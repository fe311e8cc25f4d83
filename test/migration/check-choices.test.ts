import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/index.js';
import { chooseParts, findingOf, settleParts } from '../../src/migration/check-choices.js';
import { defaultMapping, type MappingOptions } from '../../src/migration/plan/options.js';
import { cloudFacts, planOf } from './plan/document/facts.js';
import { disk, nic, vm } from './sample-vm.js';

const context = { host: 'esx1', now: new Date('2026-11-25T00:00:00Z') };
const prod = [{ source: '*', target: 'prod' }];
const two = vm({
  disks: [disk(), disk({ label: 'scsi0:1' })],
  nics: [nic(), nic({ label: 'ethernet1', network: 'other' })],
});

function choose(given: Partial<MappingOptions>, of = two) {
  const labels = of.disks.map(({ label }) => label);
  const { item, findings } = chooseParts(of, labels, { ...defaultMapping, ...given }, cloudFacts(), context);
  return { item, findings: findings.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`) };
}

describe('chooseParts', () => {
  it('settles what plan settles', () => {
    const { item, findings } = choose({ networks: prod, zone: 'az1', keyName: 'alice', volumeType: 'fast' });
    expect(findings).toEqual([]);
    expect(item).toMatchObject({
      hasFlavor: true,
      server: { flavor_name: 'SCS-2V-4', zone: 'az1', key_name: 'alice' },
    });
    expect(item.volumes.map(({ label, type, zone, boot }) => [label, type, zone, boot])).toEqual([
      ['scsi0:0', 'fast', 'az1', true],
      ['scsi0:1', 'fast', 'az1', false],
    ]);
    expect(item.ports.map(({ network_id }) => network_id)).toEqual(['n-1', 'n-1']);
  });

  it('tells each choice that fails, and keeps the others', () => {
    const { item, findings } = choose({
      networks: [{ source: 'VM Network', target: 'prod' }],
      ...{ volumeType: 'gold', volumeZone: 'moon', flavor: 'huge', zone: 'moon', keyName: 'bob' },
    });
    expect([...findings].sort()).toEqual(
      [
        ...['scsi0:0', 'scsi0:1'].flatMap((label) => [
          `cloud.volume_type blocker ${label}`,
          `cloud.zone_mismatch blocker ${label}`,
        ]),
        ...[
          'nic.unmapped blocker ethernet1',
          'cloud.no_flavor blocker vm',
          'cloud.zone_mismatch blocker vm',
          'cloud.no_keypair blocker vm',
        ],
      ].sort(),
    );
    expect(item.ports.map(({ label }) => label)).toEqual(['ethernet0']);
    expect(item.volumes.map(({ size_gib, type, zone }) => [size_gib, type, zone])).toEqual([
      [40, null, null],
      [40, null, null],
    ]);
    // The sums count one of the VM's own size.
    expect(item).toMatchObject({ hasFlavor: false, server: { flavor_name: 'SCS-2V-4' } });
    const giant = choose({ networks: prod }, vm({ cpus: 99 }));
    expect(giant.findings).toEqual(['cloud.no_flavor blocker vm']);
    expect(giant.item).toMatchObject({ hasFlavor: false, server: { create_flavor: { vcpus: 99, ram_mib: 4096 } } });
  });

  it('tells of a --nic for a NIC that is not there', () => {
    const nics = [{ label: 'ethernet7', target: 'prod', ips: [], mac: null }];
    expect(choose({ networks: prod, nics }).findings).toEqual(['nic.unmapped blocker ethernet7']);
  });

  it('has no server where none is to be made', () => {
    expect(choose({ networks: prod, start: false }).item.server).toBeNull();
  });
});

describe('settleParts', () => {
  it('tells each name that the cloud no longer has', () => {
    const { planned } = planOf(two, { networks: prod });
    const broken = {
      ...planned,
      volumes: planned.volumes.map((volume, at) => (at === 0 ? { ...volume, type: 'gold', zone: 'moon' } : volume)),
      ports: planned.ports.map((port, at) => (at === 1 ? { ...port, network: 'twin' } : port)),
      server: { ...planned.server, flavor: 'gone', zone: 'moon', key_name: 'bob' },
    };
    const { item, findings } = settleParts(broken, cloudFacts());
    expect(findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      'cloud.no_flavor vm',
      'cloud.zone_mismatch vm',
      'cloud.no_keypair vm',
      'cloud.volume_type scsi0:0',
      'cloud.zone_mismatch scsi0:0',
      'cloud.no_network ethernet1',
    ]);
    expect(item).toMatchObject({ hasFlavor: false, server: { create_flavor: { vcpus: 2, ram_mib: 4096 } } });
    expect([item.volumes.length, item.ports.length]).toEqual([2, 1]);
    expect(settleParts(planned, cloudFacts())).toMatchObject({ findings: [], item: { hasFlavor: true } });
  });
});

it('wrong usage stays an error', () => {
  expect(() => findingOf(new UsageError('no'), 'vm')).toThrow(UsageError);
  expect(() => findingOf(new TypeError('bug'), 'vm')).toThrow(TypeError);
});
