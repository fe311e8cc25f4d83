import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  changesOf,
  explainVm,
  parsePlan,
  planJsonSchema,
  settleVm,
  writePlan,
  type PlanDocument,
} from '../../../../src/migration/plan/document/index.js';
import { disk, nic, vm } from '../../sample-vm.js';
import { cloudFacts, documentOf, flavor, planOf } from './facts.js';

const GIB = 1024 ** 3;
const WEB = '[datastore1] web01/web01';
const prod = { networks: [{ source: '*', target: 'prod' }] };
const glance = { way: 'glance', reason: 'this machine is no server of the project' } as const;
const textOf = (plan: PlanDocument, comments: Parameters<typeof writePlan>[0]['comments'] = []) =>
  writePlan({ plan, comments, schemaPath: '/usr/share/plan.schema.json', head: ['A plan.'] });

describe('the host name of a plan', () => {
  const { planned, resolved } = planOf(vm(), prod);
  const settledAs = (server: object) => {
    const plan = documentOf([{ ...planned, server: { ...planned.server, ...server } }]);
    const [one] = parsePlan(textOf(plan), 'plan.yaml').vms;
    return settleVm(one ?? planned, cloudFacts()).server;
  };

  it('is left out where it follows the name, and follows an edited one', () => {
    expect(planned.server).not.toHaveProperty('hostname');
    expect(settledAs({}).hostname).toBe(resolved.server.hostname);
    expect(settledAs({ name: 'Shop 2' })).toMatchObject({ name: 'Shop 2', hostname: 'shop-2' });
    expect(settledAs({ name: '9' }).hostname).toBeNull();
    const comments = explainVm(vm(), planned, resolved, cloudFacts(), [], glance);
    expect(textOf(documentOf([planned]), [comments])).toMatch(
      /# its host name follows its name \(web01\); .*\n {4}server:\n {6}name: web01\n/,
    );
  });

  it('stays as it is written', () => {
    expect(settledAs({ name: 'shop', hostname: 'web01' }).hostname).toBe('web01');
    expect(settledAs({ hostname: null }).hostname).toBeNull();
  });
});

describe('a plan file', () => {
  it('says again what was resolved, once its names are looked up', () => {
    const source = vm({
      disks: [disk(), disk({ label: 'scsi0:1', capacity_bytes: 5 * GIB + 1 }), disk({ label: 'scsi0:2' })],
      nics: [nic(), nic({ label: 'ethernet1', network: 'Twin', mac: '00:0c:29:00:00:02' })],
    });
    const { resolved, planned } = planOf(
      source,
      {
        nics: [
          { label: 'ethernet0', target: 'prod-v4', ips: ['10.0.0.5'], mac: '00:50:56:aa:bb:01' },
          { label: 'ethernet1', target: 'n-3', ips: [], mac: null },
        ],
        securityGroups: ['web'],
        volumeType: 'fast',
        zone: 'az1',
        keyName: 'alice',
        waitFor: { type: 'tcp', port: 22 },
      },
      cloudFacts(),
      ['scsi0:2'],
    );
    expect(
      planned.ports.map((port) => [port.network, port.addresses, port.mac_required, port.security_groups]),
    ).toEqual([
      ['prod', [{ subnet: 'prod-v4', ip: '10.0.0.5' }], true, ['web']],
      ['n-3', null, false, ['web']], // the name fits two networks
    ]);
    expect(planned.skip_disks).toEqual(['scsi0:2']);
    const read = parsePlan(textOf(documentOf([planned])), 'plan.yaml');
    expect(read).toEqual(documentOf([planned]));
    const settled = settleVm(read.vms[0] ?? planned, cloudFacts());
    const { via, ...parts } = resolved;
    expect(planned.via).toBe(via);
    const plain = {
      ...parts,
      images: resolved.images.map((image) => ({ ...image, format_reason: 'the plan' })),
      ports: resolved.ports.map((port) => ({ ...port, reason: 'the plan' })),
      server: { ...resolved.server, flavor_reason: 'the plan' },
    };
    expect(settled).toEqual(plain);
  });

  it('keeps any name, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary' }), (name, network) => {
        const source = vm({ name, nics: [nic({ network })] });
        const { resolved, planned } = planOf(source, {
          nics: [{ label: 'ethernet0', target: 'prod', ips: [], mac: null }],
        });
        const comments = explainVm(
          source,
          planned,
          resolved,
          cloudFacts(),
          [{ code: 'vm.snapshots', severity: 'warning', subject: 'vm', message: name, remedy: network }],
          glance,
        );
        const text = textOf(documentOf([planned]), [comments]);
        expect(parsePlan(text, 'p')).toEqual(documentOf([planned]));
        expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=/usr/share/plan.schema.json');
      }),
    );
  });

  it('tells why: flavor, what was rejected, network, format, findings', () => {
    const source = vm({ cpus: 2, memory_mib: 4096 });
    const { resolved, planned } = planOf(source, prod);
    const comments = explainVm(
      source,
      planned,
      resolved,
      cloudFacts(),
      [
        {
          code: 'vm.snapshots',
          severity: 'warning',
          subject: 'vm',
          message: 'It has 2 snapshots.',
          remedy: 'Remove them.',
        },
      ],
      glance,
    );
    const lines = textOf(documentOf([planned]), [comments]).split('\n');
    const above = (text: string) => {
      const at = lines.findIndex((line) => line.trim().startsWith(text));
      const from = lines.slice(0, at).findLastIndex((line) => !line.trim().startsWith('#'));
      return lines.slice(from + 1, at).map((line) => line.trim());
    };
    expect(above('flavor:')).toEqual([
      '# 2 vCPU and 4096 MiB exactly, no root disk',
      '# also fits, with more waste: SCS-4V-16',
      '# rejected: SCS-1V-2 (1 vCPU is less than 2; 2048 MiB RAM is less than 4096)',
    ]);
    expect(above('network: prod')).toEqual(['# port group VM Network; --network *=prod']);
    expect(above('format:')).toEqual(['# its files hold 3 GiB of 40 GiB']);
    expect(above('via: auto')).toEqual([
      '# from this machine: glance, for this machine is no server of the project; each run looks again',
    ]);
    expect(above('- vm:')).toContain('# warning vm.snapshots: It has 2 snapshots. Remove them.');
  });

  it('is described by the schema that the package brings along', () => {
    const file = new URL('../../../../guides/plan.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(planJsonSchema()); // anew: stackferry plan --schema
  });
});

describe('parsePlan', () => {
  const { planned } = planOf(vm({ disks: [disk(), disk({ label: 'scsi0:1' })] }), prod);
  const whole = documentOf([planned]);
  const broken = (change: (plan: PlanDocument) => void): string => {
    const plan = structuredClone(whole);
    change(plan);
    return textOf(plan);
  };
  const first = (plan: PlanDocument) => plan.vms[0] ?? planned;

  it.each<[string, string, RegExp]>([
    ['no YAML', 'version: [', /line 1: /],
    ['no plan', 'hello', /expected object/],
    [
      'a newer version',
      textOf(whole).replace('version: 1', 'version: 2'),
      /version 2; this program knows versions up to 1/,
    ],
    ['an unknown field', textOf(whole).replace('accept: []', 'acept: []'), /accept|acept/],
    [
      'a wrong value',
      textOf(whole).replace('wait_for: console', 'wait_for: forever'),
      /line \d+: vms\.0\.wait_for: one of console/,
    ],
    [
      'a disk in no list',
      broken((plan) => first(plan).volumes.pop()),
      /scsi0:1 is neither in volumes nor in skip_disks/,
    ],
    ['a disk that stays and moves', broken((plan) => first(plan).skip_disks.push('scsi0:1')), /images name scsi0:1/],
    [
      'two boot volumes',
      broken((plan) => first(plan).volumes.forEach((volume) => (volume.boot = true))),
      /no other, has boot: true/,
    ],
    [
      'a NIC that is not there',
      broken((plan) => first(plan).ports.forEach((port) => (port.label = 'ethernet7'))),
      /a NIC that the VM does not have/,
    ],
    [
      'a volume too small',
      broken((plan) => first(plan).volumes.forEach((volume) => (volume.size_gib = 39))),
      /39 GiB is smaller than its disk/,
    ],
    ...([-1, 2 ** 52, 1.5] as const).map((bytes): [string, string, RegExp] => [
      `a disk of ${bytes} bytes`,
      broken((plan) => first(plan).vm.disks.forEach((seen) => (seen.capacity_bytes = bytes))),
      /line \d+: vms\.0\.vm\.disks\.0\.capacity_bytes: /,
    ]),
    ['a VM of no CPU', broken((plan) => (first(plan).vm.cpus = 0)), /vms\.0\.vm\.cpus: /],
    [
      'a host name that Nova refuses',
      broken((plan) => (first(plan).server.hostname = 'bad_host')),
      /line \d+: vms\.0\.server\.hostname: a host name: 2 to 63/,
    ],
    [
      'a metadata key that Nova refuses',
      broken((plan) => (first(plan).server.metadata['k!@'] = 'v')),
      /line \d+: vms\.0\.server\.metadata\.k!@: a metadata key: 1 to 255/,
    ],
    [
      'a mark that is ours',
      broken((plan) => (first(plan).server.metadata['stackferry_run'] = 'r1')),
      /stackferry_run: /,
    ],
    ['a tag with a slash', broken((plan) => (first(plan).server.tags = ['a/b'])), /neither , nor \//],
    ['a name with a break', broken((plan) => (first(plan).server.name = 'a\nb')), /no line breaks/],
    ['a name with a blank at its end', broken((plan) => (first(plan).server.name = 'web ')), /blank/],
    ['a VM twice', broken((plan) => plan.vms.push(first(plan))), /id 12 is there twice/],
    [
      'a bomb of aliases',
      `a: &a [1,2]\nb: &b [${'*a,'.repeat(60)}1]\nc: [${'*b,'.repeat(60)}1]\n`,
      /no plan that can be run/,
    ],
    ...(
      [
        ['hw_disk_bus', 'floppy', /properties\.hw_disk_bus: one of virtio, scsi/],
        ['hw_vif_model', 'warpdrive', /properties\.hw_vif_model: one of virtio/],
        ['architecture', 'pdp11', /properties\.architecture: one of x86_64/],
        ['hw_cpu_sockets', '0', /a whole number from 1/],
        ['owner', 'evil', /properties\.owner: that is an attribute of every image/],
        ['min_ram', '512', /properties\.min_ram: that is an attribute/],
        ['os_glance_failed_import', 'x', /Glance keeps os_glance_/],
        ['stackferry_run', 'r1', /every run sets it itself/],
        ['a b', 'x', /no blank/],
        ['note', 'a\nb', /no control characters/],
      ] as const
    ).map(([key, value, why]): [string, string, RegExp] => [
      `the image property ${key}: ${value}`,
      broken((plan) => {
        for (const image of first(plan).images) image.properties[key] = value;
      }),
      why,
    ]),
  ])('refuses %s, and says where', (_, text, message) => {
    expect(() => parsePlan(text, 'plan.yaml')).toThrow(message);
    expect(() => parsePlan(text, 'plan.yaml')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('takes properties that Nova does not know, and the words that it does', () => {
    const properties = {
      hw_disk_bus: 'usb',
      hw_qemu_guest_agent: 'Yes',
      hw_machine_type: 'pc-q35-9.0',
      note: 'a=b, c/d',
    };
    const text = broken((plan) => {
      for (const image of first(plan).images) image.properties = properties;
    });
    expect(parsePlan(text, 'plan.yaml').vms[0]?.images[0]?.properties).toEqual(properties);
  });

  it('never ends in anything but a plan or an error of ours', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        try {
          parsePlan(text, 'p');
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
    );
  });
});

describe('settleVm', () => {
  const { planned } = planOf(vm(), {
    ...prod,
    volumeType: 'fast',
    zone: 'az1',
    keyName: 'alice',
    securityGroups: ['web'],
  });
  it.each<[string, Parameters<typeof cloudFacts>[0], string]>([
    ['flavor', { flavors: [flavor('f-9', 'other', 2, 4096)] }, 'cloud.no_flavor'],
    ['network', { networks: [] }, 'cloud.no_network'],
    ['volume type', { volumeTypes: [] }, 'cloud.volume_type'],
    ['zone', { zones: { compute: [{ name: 'az2', available: true }], volume: [] } }, 'cloud.zone_mismatch'],
    ['security group', { securityGroups: [] }, 'cloud.no_security_group'],
    ['key pair', { keypairs: [] }, 'cloud.no_keypair'],
  ])('refuses a plan whose %s the cloud no longer has', (_, facts, code) => {
    expect(() => settleVm(planned, cloudFacts(facts))).toThrow(expect.objectContaining({ code, exitCode: 3 }));
  });

  it('asks for the id where a name fits several', () => {
    const twin = { ...planned, ports: planned.ports.map((port) => ({ ...port, network: 'twin' })) };
    expect(() => settleVm(twin, cloudFacts())).toThrow(
      expect.objectContaining({ code: 'cloud.no_network', hint: expect.stringContaining('n-2, n-3') as string }),
    );
  });
});

describe('changesOf', () => {
  const before = vm({ disks: [disk(), disk({ label: 'scsi0:1' })] });
  const { planned } = planOf(before, prod);
  const changes = (now: Parameters<typeof vm>[0]) =>
    changesOf(planned, vm({ disks: before.disks, ...now })).map((item) => [item.subject, item.message, item.material]);

  it('finds none where nothing has changed', () => {
    expect(changes({})).toEqual([]);
  });

  it('tells what makes the plan wrong from what does not', () => {
    expect(changes({ cpus: 4, name: 'renamed', snapshots: 1, power_state: 'on' })).toEqual([
      ['vm', 'cpus 2 -> 4', true],
      ['vm', 'name web01 -> renamed', false],
      ['vm', 'power_state off -> on', false],
      ['vm', 'snapshots 0 -> 1', false],
    ]);
    expect(
      changes({
        disks: [
          disk({ capacity_bytes: 41 * GIB, path: `${WEB}-000001.vmdk`, chain: [`${WEB}.vmdk`, `${WEB}-000001.vmdk`] }),
        ],
      }),
    ).toEqual([
      ['scsi0:0', `capacity 40 GiB (${40 * GIB} bytes) -> 41 GiB (${41 * GIB} bytes)`, true],
      ['scsi0:0', 'chain web01.vmdk -> web01.vmdk, web01-000001.vmdk', false],
      ['scsi0:1', 'the disk is gone', true],
    ]);
    expect(changes({ nics: [nic({ mac: '00:0c:29:00:00:09' }), nic({ label: 'ethernet1', network: 'DMZ' })] })).toEqual(
      [
        ['ethernet0', 'mac 00:0c:29:4f:11:22 -> 00:0c:29:00:00:09', true],
        ['ethernet1', 'a new NIC on DMZ', true],
      ],
    );
    expect(changes({ disks: [...before.disks, disk({ label: 'scsi1:0', capacity_bytes: GIB })] })).toEqual([
      ['scsi1:0', `a new disk of 1 GiB (${GIB} bytes)`, true],
    ]);
  });

  it('takes another file at the bottom for another disk, also of the same label and size', () => {
    const other = '[datastore1] web01/other.vmdk';
    const told = 'another disk: its base is [datastore1] web01/other.vmdk, and was [datastore1] web01/web01.vmdk';
    expect(changes({ disks: [disk({ path: other }), disk({ label: 'scsi0:1' })] })).toEqual([['scsi0:0', told, true]]);
    // Below a snapshot, too.
    const delta = '[datastore1] web01/other-000001.vmdk';
    expect(changes({ disks: [disk({ path: delta, chain: [other, delta] }), disk({ label: 'scsi0:1' })] })).toEqual([
      ['scsi0:0', told, true],
    ]);
  });

  it('compares with a plan that holds no chain by the names of the files', () => {
    const old = structuredClone(planned);
    for (const seen of old.vm.disks) seen.chain = [];
    const against = (path: string) =>
      changesOf(old, vm({ disks: [disk({ path, chain: [`${WEB}.vmdk`, path] }), disk({ label: 'scsi0:1' })] }));
    expect(against(`${WEB}-000002.vmdk`)).toEqual([
      { subject: 'scsi0:0', message: `path ${WEB}.vmdk -> ${WEB}-000002.vmdk`, material: false },
    ]);
    expect(
      changesOf(old, vm({ disks: [disk({ path: '[ssd] web01/web01.vmdk' }), disk({ label: 'scsi0:1' })] })),
    ).toEqual([expect.objectContaining({ subject: 'scsi0:0', material: true })]);
    const text = textOf(documentOf([planned])).replaceAll(/ +chain:\n( +- ".*"\n)+/g, '');
    expect(text).not.toContain('chain:');
    expect(parsePlan(text, 'old.yaml')).toEqual(documentOf([old]));
  });
});
