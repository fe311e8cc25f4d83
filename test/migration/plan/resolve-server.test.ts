import { describe, expect, it } from 'vitest';
import { defaultMapping, type MappingOptions } from '../../../src/migration/plan/options.js';
import { resolveServer } from '../../../src/migration/plan/resolve-server.js';
import type { Flavor } from '../../../src/openstack/index.js';
import { vm } from '../sample-vm.js';

function flavor(id: string, name: string, vcpus: number, ram: number): Flavor {
  return {
    id,
    name,
    vcpus,
    ram,
    disk: 0,
    'OS-FLV-EXT-DATA:ephemeral': 0,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': true,
    extra_specs: {},
  };
}

const facts = {
  flavors: [
    flavor('f-1', 'SCS-1V-2', 1, 2048),
    flavor('f-2', 'SCS-2V-4', 2, 4096),
    flavor('f-3', 'SCS-4V-16', 4, 16384),
  ],
  keypairs: [{ name: 'alice' }],
  zones: { compute: [{ name: 'az1', available: true }], volume: [] },
};

const resolve = (given: Partial<MappingOptions> = {}, source = vm(), known = facts) =>
  resolveServer(source, { ...defaultMapping, ...given }, known, { host: 'esx1', id: '12' });

describe('resolveServer', () => {
  it('takes the flavor that fits best, and keeps the VM’s own name in the metadata', () => {
    expect(resolve({}, vm({ name: 'Büro 🚢' }))).toMatchObject({
      name: 'Büro _',
      hostname: 'buro',
      flavor_id: 'f-2',
      flavor_name: 'SCS-2V-4',
      zone: null,
      key_name: null,
      start: true,
      metadata: {
        stackferry_vm: 'Büro _',
        stackferry_vm_uuid: '564d1b2c-0000-4000-8000-00000000000c',
        stackferry_vm_id: '12',
        stackferry_vm_host: 'esx1',
      },
    });
  });

  it('takes what was asked for: name, flavor by name or id, zone, key', () => {
    expect(resolve({ name: 'new', flavor: 'SCS-4V-16', zone: 'az1', keyName: 'alice', start: false })).toMatchObject({
      name: 'new',
      hostname: 'new',
      flavor_id: 'f-3',
      flavor_reason: '--flavor SCS-4V-16',
      zone: 'az1',
      key_name: 'alice',
      start: false,
    });
    expect(resolve({ flavor: 'f-1' }).flavor_name).toBe('SCS-1V-2');
    expect(resolve({}, vm({ uuid: null })).metadata).toEqual({
      stackferry_vm: 'web01',
      stackferry_vm_id: '12',
      stackferry_vm_host: 'esx1',
    });
  });

  it('does not judge a zone where the cloud does not list any', () => {
    expect(resolve({ zone: 'x' }, vm(), { ...facts, zones: { compute: [], volume: [] } }).zone).toBe('x');
  });

  it.each<[Partial<MappingOptions>, string, RegExp]>([
    [{ flavor: 'm1.small' }, 'cloud.no_flavor', /SCS-1V-2, SCS-2V-4, SCS-4V-16/],
    [{ zone: 'az9' }, 'cloud.zone_mismatch', /az1/],
    [{ keyName: 'bob' }, 'cloud.no_keypair', /alice/],
  ])('refuses what is not there, and names what is: %j', (given, code, hint) => {
    expect(() => resolve(given)).toThrow(
      expect.objectContaining({ code, exitCode: 3, hint: expect.stringMatching(hint) as string }),
    );
  });

  it('fails where no flavor is large enough', () => {
    expect(() => resolve({}, vm({ cpus: 64 }))).toThrow(expect.objectContaining({ code: 'cloud.no_flavor' }));
  });

  it('makes a flavor of the VM’s size only where that was asked for and none has it exactly', () => {
    const odd = vm({ cpus: 3, memory_mib: 5120 });
    expect(resolve({ createFlavor: true }, odd)).toMatchObject({
      flavor_id: 'stackferry-3-5120',
      flavor_name: 'stackferry-3-5120',
      flavor_reason: '--create-flavor: none has 3 vCPU and 5120 MiB exactly',
      create_flavor: { vcpus: 3, ram_mib: 5120 },
    });
    expect(resolve({ createFlavor: true }, vm({ cpus: 2, memory_mib: 4096 }))).not.toHaveProperty('create_flavor');
    expect(resolve({}, odd)).toMatchObject({ flavor_name: 'SCS-4V-16' });
  });
});
