import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultMapping, globFits, type MappingOptions } from '../../../../src/migration/plan/options.js';
import {
  applyRules,
  expandTemplate,
  mappingRules,
  parseRules,
  projectOf,
  rulesJsonSchema,
  tellsApart,
  typeWith,
} from '../../../../src/migration/plan/rules/index.js';
import { coversGlob, idleRules } from '../../../../src/migration/plan/rules/idle.js';
import { describeVm, explainVm } from '../../../../src/migration/plan/document/index.js';
import { resolveVm } from '../../../../src/migration/resolve-vm.js';
import type { VmRecord } from '../../../../src/esxi/index.js';
import { disk, nic, vm } from '../../sample-vm.js';
import { cloudFacts } from '../document/facts.js';

const rules = (given: object) => mappingRules.parse({ version: 1, ...given });
const apply = (source: VmRecord, given: object, said: Partial<MappingOptions> = {}, facts = cloudFacts()) =>
  applyRules(source, rules(given), said, facts, 'esx1');
const types = (descriptions: Record<string, string>) =>
  Object.entries(descriptions).map(([name, description]) => ({ id: name, name, description })) as ReturnType<
    typeof cloudFacts
  >['volumeTypes'];

describe('rules for networks', () => {
  const source = vm({
    nics: [
      nic({ network: 'VM Network', vlan_id: 0, ip_addresses: ['10.0.0.7', 'fe80::1'] }),
      nic({ label: 'ethernet1', network: 'DMZ (old)', vlan_id: 120 }),
    ],
  });
  const targets = (given: object, said: Partial<MappingOptions> = {}) =>
    apply(source, given, said).nics?.map((item) => [item.label, item.target, item.reason]);

  it('take the first that fits: port group, VLAN, address of the guest, VM', () => {
    expect(
      targets({
        networks: [
          { port_group: 'VM*', vm: 'db*', network: 'no' },
          { vlan_id: 120, network: 'dmz' },
          { address: '10.0.0.0/24', network: 'prod' },
          { network: 'rest' },
        ],
      }),
    ).toEqual([
      ['ethernet0', 'prod', 'networks rule 3'],
      ['ethernet1', 'dmz', 'networks rule 2'],
    ]);
  });

  it('find the network around the guest’s address, and say so where there is none', () => {
    expect(targets({ networks: [{ port_group: 'VM Network' }] })).toEqual([['ethernet0', 'n-1', 'networks rule 1']]);
    expect(() => targets({ networks: [{ vlan_id: 120 }] })).toThrow(
      expect.objectContaining({
        code: 'cloud.no_network',
        message: expect.stringContaining('networks rule 1') as string,
      }),
    );
  });

  it('give way to what the command line says', () => {
    const given = { networks: [{ network: 'by-rule' }] };
    expect(targets(given, { networks: [{ source: 'VM*', target: 'said' }] })).toEqual([
      ['ethernet1', 'by-rule', 'networks rule 1'],
    ]);
    expect(targets(given, { nics: [{ label: 'ethernet1', target: 'said', ips: [], mac: null }] })).toEqual([
      ['ethernet1', 'said', undefined],
      ['ethernet0', 'by-rule', 'networks rule 1'],
    ]);
  });

  it('carry groups and the wish to keep the address to the port', () => {
    const options = apply(vm({ nics: source.nics.slice(0, 1) }), {
      networks: [{ network: 'prod', security_groups: ['web'], keep_ip: true }],
    });
    const { ports } = resolveVm(
      source,
      ['scsi0:0'],
      { ...defaultMapping, ...options, networks: [{ source: '*', target: 'prod' }] },
      cloudFacts(),
      {
        host: 'esx1',
        now: new Date(0),
      },
    );
    expect(ports.map((port) => [port.fixed_ips, port.security_group_ids, port.reason])).toEqual([
      [[{ subnet_id: 's-1', ip_address: '10.0.0.7' }], ['g-2'], 'networks rule 1'],
      [null, null, '--network *=prod'],
    ]);
  });

  it('refuse to keep an address that the host does not know', () => {
    const unknown = vm({ nics: [nic()] });
    const options = apply(unknown, { networks: [{ network: 'prod', keep_ip: true }] });
    expect(() =>
      resolveVm(unknown, ['scsi0:0'], { ...defaultMapping, ...options }, cloudFacts(), { host: 'h', now: new Date(0) }),
    ).toThrow(expect.objectContaining({ code: 'cloud.ip_outside' }));
  });
});

describe('rules for volumes', () => {
  const source = vm({
    disks: [
      disk({ path: '[ssd (1)] a/a.vmdk' }),
      disk({ label: 'scsi0:1', path: '[archiv ü] a/a_1.vmdk' }),
      disk({ label: 'scsi0:2', path: null }),
    ],
  });

  it('choose a type by datastore and label, by name or by what it promises', () => {
    const facts = cloudFacts({
      volumeTypes: types({
        fast: '',
        both: '[scsi:x]',
        enc: '[scs:encrypted, replicated] x',
        onlyenc: '[scs:encrypted]',
      }),
    });
    const { volumeTypes } = apply(
      source,
      {
        volumes: [
          { datastore: 'ssd*', type: 'fast' },
          { datastore: '*', aspects: ['encrypted'] },
        ],
      },
      {},
      facts,
    );
    expect(volumeTypes).toEqual({
      'scsi0:0': { type: 'fast', reason: 'volumes rule 1' },
      'scsi0:1': { type: 'onlyenc', reason: 'volumes rule 2' }, // of two, the one that promises least beyond
    });
    expect(() => typeWith(['encrypted', 'fast'], facts, 'volumes rule 1')).toThrow(
      expect.objectContaining({ code: 'cloud.volume_type', exitCode: 3 }),
    );
  });

  it('reach the volumes, and give way to --volume-type', () => {
    const given = { volumes: [{ label: 'scsi0:0', type: 'fast' }] };
    const volumesOf = (said: Partial<MappingOptions>) =>
      resolveVm(
        source,
        ['scsi0:0', 'scsi0:1'],
        { ...defaultMapping, networks: [{ source: '*', target: 'prod' }], ...apply(source, given, said) },
        cloudFacts({ volumeTypes: types({ fast: '', slow: '' }) }),
        {
          host: 'h',
          now: new Date(0),
        },
      ).volumes.map((volume) => [volume.type, volume.type_reason]);
    expect(volumesOf({})).toEqual([
      ['fast', 'volumes rule 1'],
      [null, undefined],
    ]);
    expect(volumesOf({ volumeType: 'slow' })).toEqual([
      ['slow', undefined],
      ['slow', undefined],
    ]);
  });
});

describe('rules for VMs', () => {
  const source = vm({ name: 'db01', vmx_path: '[ssd] prod/db01/db01.vmx' });

  it('give each field from the first rule that has it', () => {
    expect(
      apply(source, {
        vms: [
          { name: 'web*', flavor: 'no' },
          { folder: '[[]ssd] *', flavor: 'no' }, // brackets are no sets here: this fits nothing
          { folder: '[ssd] prod/*', zone: 'az1', metadata: { from: '{host}/{id}', uuid: '{uuid}' } },
          {
            name: 'db*',
            flavor: 'SCS-4V-16',
            zone: 'az2',
            server_name: '{name}-new',
            tags: ['moved'],
            key_name: 'alice',
          },
          { hardware: { disk_bus: 'sata', vif_model: 'e1000' }, security_groups: ['web'], volume_zone: 'az1' },
        ],
      }),
    ).toEqual({
      zone: 'az1',
      metadata: { from: 'esx1/12', uuid: '564d1b2c-0000-4000-8000-00000000000c' },
      flavor: 'SCS-4V-16',
      name: 'db01-new',
      tags: ['moved'],
      keyName: 'alice',
      hardware: { reason: 'vms rule 5', diskBus: 'sata', vifModel: 'e1000' },
      securityGroups: ['web'],
      volumeZone: 'az1',
      nics: [],
    });
  });

  it('change the hardware, tags and metadata of what is made', () => {
    const options = apply(source, {
      vms: [{ hardware: { disk_bus: 'sata', vif_model: 'e1000' }, tags: ['t'], metadata: { a: 'b' } }],
    });
    const resolved = resolveVm(
      source,
      ['scsi0:0'],
      { ...defaultMapping, networks: [{ source: '*', target: 'prod' }], ...options },
      cloudFacts(),
      {
        host: 'h',
        now: new Date(0),
      },
    );
    expect(resolved.images[0]?.properties).toMatchObject({ hw_disk_bus: 'sata', hw_vif_model: 'e1000' });
    expect(resolved.images[0]?.properties).not.toHaveProperty('hw_scsi_model');
    expect(resolved.server).toMatchObject({ tags: ['t'], metadata: { a: 'b', stackferry_vm: 'db01' } });
  });

  it('set firmware and further properties over those of the VM, each with the rule as its reason', () => {
    const given = {
      vms: [
        { guest_id: 'windows*', hardware: { vif_model: 'e1000e' } },
        {
          name: 'db*',
          hardware: { firmware_type: 'uefi', properties: { hw_video_model: 'virtio', os_distro: 'sles' } },
        },
        { hardware: { disk_bus: 'virtio' } },
      ],
    };
    const options = { ...defaultMapping, networks: [{ source: '*', target: 'prod' }], ...apply(source, given) };
    const resolved = resolveVm(source, ['scsi0:0'], options, cloudFacts(), { host: 'h', now: new Date(0) });
    const [image] = resolved.images;
    expect(image?.properties).toMatchObject({
      hw_firmware_type: 'uefi',
      hw_machine_type: 'q35', // follows from the firmware
      hw_video_model: 'virtio',
      os_distro: 'sles',
      hw_disk_bus: 'scsi', // rule 3 has hardware too, and is not the first
      hw_vif_model: 'virtio',
    });
    expect(image?.property_reasons).toEqual({
      hw_firmware_type: 'vms rule 2',
      hw_video_model: 'vms rule 2',
      os_distro: 'vms rule 2',
    });
    const planned = describeVm(source, [], resolved, cloudFacts());
    const comments = explainVm(source, planned, resolved, cloudFacts(), [], {
      way: 'glance',
      reason: '--via glance',
    });
    const why = (key: string) => comments.find(({ path }) => path.at(-1) === key)?.text;
    expect(why('hw_firmware_type')).toBe('vms rule 2; on ESXi: bios');
    expect(why('hw_video_model')).toBe('vms rule 2');
    expect(why('hw_vif_model')).toBe('on ESXi: vmxnet3');
  });

  it('give BIOS to a guest of EFI, without what belongs to EFI, where a rule says so', () => {
    const efi = vm({ firmware: 'efi', secure_boot: true });
    const options = { ...defaultMapping, networks: [{ source: '*', target: 'prod' }] };
    const of = (given: object) =>
      resolveVm(efi, ['scsi0:0'], { ...options, ...apply(efi, given) }, cloudFacts(), { host: 'h', now: new Date(0) })
        .images[0]?.properties ?? {};
    expect(of({})).toMatchObject({ hw_firmware_type: 'uefi', os_secure_boot: 'optional' });
    const ruled = of({ vms: [{ hardware: { firmware_type: 'bios' } }] });
    expect(ruled).toMatchObject({ hw_firmware_type: 'bios' });
    expect(ruled).not.toHaveProperty('os_secure_boot');
    expect(ruled).not.toHaveProperty('hw_machine_type');
  });

  it('say which project a VM belongs to', () => {
    const given = rules({
      vms: [
        { name: 'x', project: 'no' },
        { name: 'db*', project: 'databases' },
      ],
    });
    expect(projectOf(source, given)).toEqual({ project: 'databases', rule: 'vms rule 2' });
    expect(projectOf(vm(), given)).toBeNull();
  });

  it('give way to the command line', () => {
    expect(apply(source, { vms: [{ flavor: 'a', zone: 'b' }] }, { flavor: 'said' })).toMatchObject({
      flavor: 'said',
      zone: 'b',
    });
  });
});

describe('expandTemplate', () => {
  it('fills in, keeps doubled braces, and refuses other words', () => {
    const source = vm({ name: '{id}$&' });
    expect(expandTemplate('{name}-{id}@{host} {{x}}', source, 'esx1')).toBe('{id}$&-12@esx1 {x}');
    expect(() => expandTemplate('{nme}', source, 'esx1')).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(['{name}', '{id}-x', '{uuid}', 'web', '{host}', '{{name}}'].map(tellsApart)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('parseRules', () => {
  it.each<[string, string, RegExp]>([
    ['no YAML', 'a: [', /line 1/],
    ['a newer version', 'version: 2', /version 2, and this program knows versions up to 1/],
    ['an unknown condition', 'version: 1\nnetworks: [{ portgroup: x, network: y }]', /networks\.0.*portgroup/],
    [
      'a SCSI model on another bus',
      'version: 1\nvms: [{ hardware: { disk_bus: sata, scsi_model: virtio-scsi } }]',
      /line 2: vms\.0\.hardware: scsi_model is for disk_bus scsi/,
    ],
    [
      'a property that is no hardware',
      'version: 1\nvms: [{ hardware: { properties: { owner: x } } }]',
      /vms\.0\.hardware\.properties\.owner/,
    ],
    [
      'a property that has a field of its own',
      'version: 1\nvms: [{ hardware: { properties: { hw_disk_bus: sata } } }]',
      /hw_disk_bus is said as disk_bus/,
    ],
    [
      'a value that Nova cannot make anything of',
      'version: 1\nvms: [{ hardware: { properties: { hw_video_model: crt } } }]',
      /vms\.0\.hardware\.properties\.hw_video_model: one of virtio, vga/,
    ],
    [
      'a metadata key that Nova refuses',
      'version: 1\nvms: [{ metadata: { "k!@": x } }]',
      /vms\.0\.metadata\.k!@: a metadata key/,
    ],
    ['both type and aspects', 'version: 1\nvolumes: [{ type: a, aspects: [b] }]', /either type or aspects/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseRules(text, 'rules.yaml')).toThrow(message);
  });

  it('ends in rules or in an error of ours', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        try {
          parseRules(text, 'r');
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
    );
  });

  it('is described by the schema that the package brings along', () => {
    const file = new URL('../../../../guides/rules.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(rulesJsonSchema()); // anew: stackferry plan --rules-schema
  });
});

describe('rules that do nothing', () => {
  const web = vm({
    name: 'web01',
    nics: [nic({ network: 'VM Network', ip_addresses: ['10.0.0.7'] })],
    disks: [disk()],
  });
  const idle = (given: object, vms = [web]) => idleRules(rules(given), vms);

  it('are told where an earlier one takes all that they fit', () => {
    expect(
      idle({
        networks: [
          { address: '10.0.0.0/8', network: 'a' },
          { port_group: 'VM Network', address: '10.0.0.0/24', network: 'b' },
          { port_group: 'VM*', network: 'c' },
          { port_group: 'VM Net*', vm: 'web*', network: 'd' },
        ],
        volumes: [{ type: 'fast' }, { label: 'scsi0:0', type: 'slow' }],
        vms: [
          { name: 'web*', flavor: 'a' },
          { name: 'web0*', flavor: 'b', tags: ['x'] },
          { name: 'web01', flavor: 'c', tags: ['y'] },
        ],
      }),
    ).toEqual([
      'networks rule 2 never counts: networks rule 1 takes all that it fits.',
      'networks rule 4 never counts: networks rule 3 takes all that it fits.',
      'volumes rule 2 never counts: volumes rule 1 takes all that it fits.',
      'vms rule 3 never counts: vms rule 1 and 2 says all that it says.',
    ]);
  });

  it('are told where they fit none of the VMs, and not where each has its use', () => {
    const given = {
      networks: [{ vlan_id: 7, network: 'a' }, { address: '10.0.1.0/24', network: 'b' }, { network: 'c' }],
      volumes: [{ datastore: 'nas*', type: 'fast' }, { type: 'slow' }],
      vms: [{ name: 'db*', flavor: 'a' }, { flavor: 'b' }],
    };
    expect(idle(given)).toEqual([
      'Rules that fit nothing of this VM: networks rule 1, networks rule 2, volumes rule 1, vms rule 1.',
    ]);
    expect(idle({ networks: [{ network: 'c' }], volumes: [{ type: 'slow' }], vms: [{ flavor: 'b' }] })).toEqual([]);
  });

  it('are never called so where the later glob fits what the earlier one does not', () => {
    const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 5 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
    fc.assert(
      fc.property(glob, glob, text, (earlier, later, name) => {
        fc.pre(coversGlob(earlier, later) && globFits(later, name));
        expect(globFits(earlier, name)).toBe(true);
      }),
    );
    expect([coversGlob('web*', 'web0*'), coversGlob('a?', 'a*'), coversGlob('*', undefined)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('a network of a rule', () => {
  const read = (address: string) =>
    parseRules(`version: 1\nnetworks:\n  - network: a\n    address: ${address}\n`, 'r.yaml');
  it('is refused with its line where there can be none', () => {
    for (const wrong of [
      '999.0.0.0/8',
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0/8',
      '2001:db8::/129',
      '10.0.0.0/8/8',
      'x/8',
    ]) {
      expect(() => read(wrong)).toThrow(/r\.yaml holds no mapping rules: line 4: networks\.0\.address: a network as/);
    }
  });
  it('is taken in both families, and where bits behind the prefix are set', () => {
    for (const right of ['10.0.0.0/8', '10.1.2.3/24', '2001:db8::/64', '0.0.0.0/0', '"::/0"']) {
      expect(read(right).networks).toHaveLength(1);
    }
  });
});
