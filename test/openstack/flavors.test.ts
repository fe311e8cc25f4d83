import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { StackferryError } from '../../src/core/index.js';
import { chooseFlavor, parseScsName, type Flavor, type FlavorNeed } from '../../src/openstack/index.js';

function flavor(name: string, vcpus: number, ramMib: number, more: Partial<Flavor> = {}): Flavor {
  return {
    id: name,
    name,
    vcpus,
    ram: ramMib,
    disk: 0,
    'OS-FLV-EXT-DATA:ephemeral': 0,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': true,
    extra_specs: {},
    ...more,
  };
}

/** The flavors that every SCS cloud has (SCS-0103). */
const MANDATORY = [
  'SCS-1L-1',
  'SCS-1V-2',
  'SCS-1V-4',
  'SCS-1V-8',
  'SCS-2V-4',
  'SCS-2V-8',
  'SCS-2V-16',
  'SCS-2V-4-20s',
  'SCS-4V-8',
  'SCS-4V-16',
  'SCS-4V-32',
  'SCS-4V-16-100s',
  'SCS-8V-16',
  'SCS-8V-32',
  'SCS-16V-32',
].map((name) => {
  const parsed = parseScsName(name);
  if (!parsed) throw new Error(name);
  return flavor(name, parsed.vcpus, parsed.ramGib * 1024, { disk: parsed.disk?.sizeGb ?? 0 });
});

const refusal = (flavors: Flavor[], need: FlavorNeed): StackferryError => {
  try {
    chooseFlavor(flavors, need);
  } catch (error) {
    if (error instanceof StackferryError) return error;
  }
  throw new Error('it found one');
};

describe('choosing a flavor', () => {
  it.each([
    [{ vcpus: 1, ramMib: 512 }, 'SCS-1L-1'],
    [{ vcpus: 1, ramMib: 1025 }, 'SCS-1V-2'],
    [{ vcpus: 2, ramMib: 4096 }, 'SCS-2V-4'],
    [{ vcpus: 2, ramMib: 4097 }, 'SCS-2V-8'],
    [{ vcpus: 3, ramMib: 4096 }, 'SCS-4V-8'],
    [{ vcpus: 4, ramMib: 16384 }, 'SCS-4V-16'],
    [{ vcpus: 16, ramMib: 32768 }, 'SCS-16V-32'],
  ])('for %o takes %s of the mandatory ones', (need, name) => {
    expect(chooseFlavor(MANDATORY, need).flavor.name).toBe(name);
  });

  it('says why it took it and why it left the others', () => {
    const choice = chooseFlavor(MANDATORY, { vcpus: 16, ramMib: 20000 });
    expect(choice.reason).toBe('16 vCPU and 32768 MiB for 16 and 20000, the smallest that fits, no root disk');
    expect(choice.rejected).toHaveLength(14);
    expect(choice.rejected[0]?.reasons).toEqual(['1 vCPU is less than 16', '1024 MiB RAM is less than 20000']);
    const exact = chooseFlavor([flavor('x', 2, 4096, { disk: 20 })], { vcpus: 2, ramMib: 4096 });
    expect(exact.reason).toBe('2 vCPU and 4096 MiB exactly, its root disk of 20 GiB stays unused');
  });

  it('names the nearest and why not when none fits', () => {
    const error = refusal(MANDATORY, { vcpus: 8, ramMib: 65536 });
    expect(error.code).toBe('cloud.no_flavor');
    expect(error.message).toBe(
      'No flavor has 8 vCPU and 65536 MiB RAM. The nearest is SCS-16V-32: 32768 MiB RAM is less than 65536.',
    );
    expect(error.hint).toContain('--flavor');
    expect(refusal([], { vcpus: 1, ramMib: 1 }).message).toContain('no flavor at all');
  });

  it.each([
    ['a GPU', flavor('SCS-2V-4_GNa-14', 2, 4096)],
    ['a GPU in its extra specs', flavor('g', 2, 4096, { extra_specs: { 'resources:VGPU': '1' } })],
    ['a device', flavor('d', 2, 4096, { extra_specs: { 'pci_passthrough:alias': 'nvme:1' } })],
    ['bare metal', flavor('SCS-2V-4_bms', 2, 4096)],
    [
      'bare metal in its extra specs',
      flavor('b', 2, 4096, { extra_specs: { 'resources:CUSTOM_BAREMETAL_X': '1', 'resources:VCPU': '0' } }),
    ],
    ['Infiniband', flavor('SCS-2V-4_ib', 2, 4096)],
    ['another architecture', flavor('SCS-2V-4_a1', 2, 4096)],
    [
      'another architecture in its extra specs',
      flavor('a', 2, 4096, { extra_specs: { 'trait:HW_ARCH_AARCH64': 'required' } }),
    ],
    ['nothing to give', flavor('off', 2, 4096, { 'OS-FLV-DISABLED:disabled': true })],
  ])('never takes one with %s', (_what, special) => {
    expect(refusal([special], { vcpus: 2, ramMib: 4096 }).code).toBe('cloud.no_flavor');
    expect(chooseFlavor([special, flavor('plain', 8, 65536)], { vcpus: 2, ramMib: 4096 }).flavor.name).toBe('plain');
  });

  it.each([
    ['dedicated cores', flavor('SCS-2C-4', 2, 4096)],
    ['dedicated cores', flavor('c', 2, 4096, { extra_specs: { 'hw:cpu_policy': 'dedicated' } })],
    ['dedicated cores', flavor('t', 2, 4096, { extra_specs: { 'scs:cpu-type': 'dedicated-thread' } })],
    ['nested virtualization', flavor('SCS-2V-4_hwv', 2, 4096)],
    ['huge pages', flavor('h', 2, 4096, { extra_specs: { 'hw:mem_page_size': 'large' } })],
    ['hypervisor xen', flavor('SCS-2V-4_xen', 2, 4096)],
    ['hypervisor vmw', flavor('renamed', 2, 4096, { extra_specs: { 'scs:name-v2': 'SCS-2V-4_vmw' } })],
  ])('takes one with %s only where nothing plainer fits', (what, special) => {
    const alone = chooseFlavor([special], { vcpus: 2, ramMib: 4096 });
    expect(alone.reason).toContain(what);
    expect(chooseFlavor([special, flavor('plain', 4, 8192)], { vcpus: 2, ramMib: 4096 }).flavor.name).toBe('plain');
  });

  it('prefers what was asked for: nested virtualization, ARM', () => {
    const all = [...MANDATORY, flavor('SCS-2V-4_hwv', 2, 4096), flavor('SCS-2V-4_a2', 2, 4096)];
    expect(chooseFlavor(all, { vcpus: 2, ramMib: 4096, nested: true }).flavor.name).toBe('SCS-2V-4_hwv');
    expect(chooseFlavor(all, { vcpus: 2, ramMib: 4096, architecture: 'aarch64' }).flavor.name).toBe('SCS-2V-4_a2');
    // A cloud of ARM machines alone need not say so in every flavor.
    expect(chooseFlavor([flavor('m1', 2, 4096)], { vcpus: 2, ramMib: 4096, architecture: 'aarch64' }).flavor.name).toBe(
      'm1',
    );
  });

  it('always takes one that fits and that no other fitting one undercuts, whatever the order', () => {
    const anyFlavor = fc
      .record({
        vcpus: fc.integer({ min: 1, max: 64 }),
        ram: fc.integer({ min: 128, max: 262144 }),
        disk: fc.constantFrom(0, 20),
        disabled: fc.constantFrom(false, false, true),
      })
      .map((f) => flavor('', f.vcpus, f.ram, { disk: f.disk, 'OS-FLV-DISABLED:disabled': f.disabled }));
    const flavors = fc
      .array(anyFlavor, { maxLength: 20 })
      .map((list) => list.map((f, i) => ({ ...f, id: `f${i}`, name: `f${i}` })));
    const need = fc.record({ vcpus: fc.integer({ min: 1, max: 64 }), ramMib: fc.integer({ min: 1, max: 262144 }) });
    fc.assert(
      fc.property(flavors, need, (list, wanted) => {
        const fits = list.filter(
          (f) => !f['OS-FLV-DISABLED:disabled'] && f.vcpus >= wanted.vcpus && f.ram >= wanted.ramMib,
        );
        if (fits.length === 0) {
          expect(refusal(list, wanted).code).toBe('cloud.no_flavor');
          return;
        }
        const { flavor: chosen, alternatives, rejected } = chooseFlavor(list, wanted);
        expect(fits).toContain(chosen);
        expect(alternatives.length + rejected.length + 1).toBe(list.length);
        expect(rejected.every(({ reasons }) => reasons.length > 0)).toBe(true);
        const undercuts = fits.filter(
          (f) =>
            f.vcpus <= chosen.vcpus &&
            f.ram <= chosen.ram &&
            f.disk <= chosen.disk &&
            (f.vcpus < chosen.vcpus || f.ram < chosen.ram || f.disk < chosen.disk),
        );
        expect(undercuts).toEqual([]);
        expect(chooseFlavor([...list].reverse(), wanted).flavor.id).toBe(chosen.id);
      }),
    );
  });
});

describe('SCS flavor names', () => {
  it.each([
    ['SCS-2V-4', { vcpus: 2, cpuType: 'V', ramGib: 4, disk: null, nested: false, architecture: 'x86_64' }],
    [
      'SCS-16T-64-200s_GNa-64_ib',
      { vcpus: 16, cpuType: 'T', disk: { count: 1, sizeGb: 200, type: 's' }, gpu: { units: 64 }, infiniband: true },
    ],
    [
      'SCS-4Ci-3.5uo-2x10p_kvm_hwv_i2h',
      {
        cpuType: 'C',
        insecure: true,
        ramGib: 3.5,
        noEcc: true,
        oversubscribed: true,
        disk: { count: 2, sizeGb: 10, type: 'p' },
        hypervisor: 'kvm',
        nested: true,
        architecture: 'x86_64',
      },
    ],
    ['SCS-1L-1-', { cpuType: 'L', disk: { count: 1, sizeGb: null, type: null } }],
    ['SCS-1L-1-n', { disk: { count: 1, sizeGb: null, type: 'n' } }],
    ['SCS-8V-16_a1', { architecture: 'aarch64' }],
    ['SCS-8V-16_z3hh', { architecture: 'x86_64' }],
    ['SCS-8V-16_r', { architecture: 'riscv64', cpuGeneration: null, frequency: 0 }],
    ['SCS-2C-4-10n_bms_z3hh', { hypervisor: 'bms', cpuGeneration: 3, frequency: 2, gpu: null }],
    [
      'SCS-16V-64-500s_GNa-14h',
      { gpu: { passThrough: true, vendor: 'nvidia', generation: 'a', units: 14, memoryGib: null } },
    ],
    [
      'SCS-16T-64_gA0.4',
      { gpu: { passThrough: false, vendor: 'amd', generation: '0.4', units: null, memoryGib: null } },
    ],
    ['SCS-4C-16_GI-96-12h', { gpu: { vendor: 'intel', generation: '', units: 96, memoryGib: 12 } }],
  ])('%s', (name, parts) => {
    expect(parseScsName(name)).toMatchObject(parts);
  });

  it.each([
    '',
    'm1.small',
    'SCS-2iT-4',
    'scs-2V-4',
    'SCS-2V',
    'SCS-2V-4ou',
    'SCS-2X-4',
    'SCS-0V-4',
    'SCS-2V-0',
    'SCS-2V-4.3',
    'SCS-2V-4-2x',
    'SCS-2V-4_hwv_kvm',
    'SCS-2V-4_ib_i',
    'SCS-2V-4_',
    'SCS-2V-4-20x',
    'SCS-4V-16_GN foo!',
    'SCS-4V-16_GNa-',
    'SCS-4V-16_GX',
    'SCS-4V-16_GNa-0',
    'SCS-4V-16_ib_GNa',
    'SCS-4V-16_z3hhhh',
    ' SCS-2V-4',
    'SCS-2V-4-20s ',
  ])('not %j', (name) => {
    expect(parseScsName(name)).toBeUndefined();
  });

  it('read back what they were made of, and never fail on other names', () => {
    const name = fc.record({
      vcpus: fc.integer({ min: 1, max: 512 }),
      type: fc.constantFrom('C', 'T', 'V', 'L'),
      insecure: fc.boolean(),
      halves: fc.integer({ min: 1, max: 4096 }),
      noEcc: fc.boolean(),
      over: fc.boolean(),
      size: fc.option(fc.integer({ min: 5, max: 4000 })),
      nested: fc.boolean(),
      arch: fc.constantFrom('', '_i', '_z', '_a', '_i3', '_z4h'),
      gpu: fc.option(
        fc.record({
          kind: fc.constantFrom('G', 'g'),
          vendor: fc.constantFrom('N', 'A', 'I'),
          units: fc.option(fc.integer({ min: 1, max: 512 })),
        }),
      ),
    });
    fc.assert(
      fc.property(name, (n) => {
        const ram = n.halves / 2;
        const text = `SCS-${n.vcpus}${n.type}${n.insecure ? 'i' : ''}-${ram}${n.noEcc ? 'u' : ''}${n.over ? 'o' : ''}${n.size === null ? '' : `-${n.size}`}${n.nested ? '_hwv' : ''}${n.arch}${n.gpu === null ? '' : `_${n.gpu.kind}${n.gpu.vendor}a${n.gpu.units === null ? '' : `-${n.gpu.units}`}`}`;
        expect(parseScsName(text)).toMatchObject({
          vcpus: n.vcpus,
          cpuType: n.type,
          insecure: n.insecure,
          ramGib: ram,
          noEcc: n.noEcc,
          oversubscribed: n.over,
          nested: n.nested,
          disk: n.size === null ? null : { count: 1, sizeGb: n.size, type: null },
          architecture: n.arch === '_a' ? 'aarch64' : 'x86_64',
          gpu: n.gpu === null ? null : { passThrough: n.gpu.kind === 'G', generation: 'a', units: n.gpu.units },
        });
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseScsName(text)));
  });
});
