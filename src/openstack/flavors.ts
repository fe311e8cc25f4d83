import { StackferryError } from '../core/index.js';
import type { Flavor } from './compute/flavors.js';
import { parseScsName, type ScsName } from './scs-names.js';

/** What a server needs. */
export interface FlavorNeed {
  vcpus: number;
  ramMib: number;
  /** The guest's architecture; x86_64 if unset. */
  architecture?: 'x86_64' | 'aarch64';
  /** Nested virtualization is wanted. */
  nested?: boolean;
}

export interface RejectedFlavor {
  flavor: Flavor;
  /** Why it does not fit: "1 vCPU is less than 2". */
  reasons: string[];
}

export interface FlavorChoice {
  flavor: Flavor;
  /** Why this one: "2 vCPU and 4096 MiB exactly, no root disk". */
  reason: string;
  /** The others that fit, best first. */
  alternatives: Flavor[];
  rejected: RejectedFlavor[];
}

/**
 * Chooses the smallest flavor that fits: enough vCPU and RAM, the right architecture, nothing special that the server
 * does not need. What is special but harmless (dedicated cores, nested virtualization, huge pages) is taken only
 * where nothing plain fits. Throws `cloud.no_flavor` naming the nearest and why it does not fit.
 */
export function chooseFlavor(flavors: readonly Flavor[], need: FlavorNeed): FlavorChoice {
  const judged = flavors.map((flavor) => ({ flavor, traits: traitsOf(flavor) }));
  const rejected: RejectedFlavor[] = [];
  const fitting: { flavor: Flavor; special: string[]; cost: number }[] = [];
  for (const { flavor, traits } of judged) {
    const reasons = reasonsAgainst(flavor, traits, need);
    if (reasons.length > 0) rejected.push({ flavor, reasons });
    else fitting.push({ flavor, special: specialities(traits, need), cost: costOf(flavor, traits, need) });
  }
  fitting.sort(
    (a, b) =>
      a.special.length - b.special.length ||
      a.cost - b.cost ||
      a.flavor.name.localeCompare(b.flavor.name) ||
      a.flavor.id.localeCompare(b.flavor.id),
  );
  const [best, ...others] = fitting;
  if (!best) throw noFlavor(rejected, need);
  return {
    flavor: best.flavor,
    reason: reasonFor(best.flavor, best.special, need),
    alternatives: others.map(({ flavor }) => flavor),
    rejected,
  };
}

interface Traits {
  gpu: boolean;
  passthrough: boolean;
  bareMetal: boolean;
  infiniband: boolean;
  dedicated: boolean;
  nested: boolean;
  hugePages: boolean;
  otherHypervisor: string | null;
  /** Null where neither name nor extra specs say. */
  architecture: 'x86_64' | 'aarch64' | 'riscv64' | null;
  /** Small drawbacks: heavily shared, no ECC, old microcode, oversubscribed RAM. */
  drawbacks: number;
}

/** What a flavor is, by its extra specs (Nova's "Flavors" guide) and, for the rest, by its SCS name. */
function traitsOf(flavor: Flavor): Traits {
  const specs = flavor.extra_specs;
  const keys = Object.keys(specs);
  const name = [flavor.name, ...keys.filter((key) => key.startsWith('scs:name-')).map((key) => specs[key] ?? '')]
    .map(parseScsName)
    .find((parsed) => parsed !== undefined);
  const cpuType = specs['scs:cpu-type'];
  const pageSize = specs['hw:mem_page_size'];
  return {
    gpu: keys.some((key) => /^resources\d*:(VGPU|PGPU|CUSTOM_.*GPU)/.test(key)) || (name?.gpu ?? null) !== null,
    passthrough: keys.some((key) => key.startsWith('pci_passthrough:') || key.startsWith('accel:')),
    bareMetal:
      keys.some((key) => /^resources\d*:CUSTOM_BAREMETAL/.test(key)) ||
      specs['resources:VCPU'] === '0' ||
      /ironic|baremetal/i.test(specs['capabilities:hypervisor_type'] ?? '') ||
      name?.hypervisor === 'bms',
    infiniband: name?.infiniband === true,
    dedicated:
      cpuType?.startsWith('dedicated-') === true ||
      specs['hw:cpu_policy'] === 'dedicated' ||
      name?.cpuType === 'C' ||
      name?.cpuType === 'T',
    nested:
      name?.nested === true || /^required$/i.test(specs['trait:HW_CPU_X86_VMX'] ?? specs['trait:HW_CPU_X86_SVM'] ?? ''),
    hugePages: pageSize !== undefined && pageSize !== 'small' && pageSize !== 'any',
    otherHypervisor: name?.hypervisor && !['kvm', 'chy', 'bms'].includes(name.hypervisor) ? name.hypervisor : null,
    architecture: architectureOf(specs, name),
    drawbacks: [
      cpuType === 'crowded-core' || name?.cpuType === 'L',
      name?.insecure === true,
      name?.noEcc === true,
      name?.oversubscribed === true,
    ].filter(Boolean).length,
  };
}

function architectureOf(specs: Readonly<Record<string, string>>, name: ScsName | undefined): Traits['architecture'] {
  const said = [specs['capabilities:cpu_info:arch'], specs['cpu_arch'], specs['hw:architecture']]
    .filter((value) => value !== undefined)
    .join(' ');
  if (specs['trait:HW_ARCH_AARCH64'] === 'required' || /aarch64|arm64/i.test(said)) return 'aarch64';
  if (specs['trait:HW_ARCH_X86_64'] === 'required' || /x86_64|amd64/i.test(said)) return 'x86_64';
  return name?.architecture ?? null;
}

/** Something about a flavor that speaks against it. */
export interface FlavorObjection {
  /** `small`: less than the guest had. `special`: it has what the server does not need. */
  kind: 'disabled' | 'small' | 'architecture' | 'bare_metal' | 'special';
  /** `1 vCPU is less than 2`. */
  text: string;
}

/** All that speaks against a flavor for this need, whoever chose it. Empty where it simply fits. */
export function flavorObjections(flavor: Flavor, need: FlavorNeed): FlavorObjection[] {
  return objections(flavor, traitsOf(flavor), need);
}

function reasonsAgainst(flavor: Flavor, traits: Traits, need: FlavorNeed): string[] {
  return objections(flavor, traits, need).map(({ text }) => text);
}

function objections(flavor: Flavor, traits: Traits, need: FlavorNeed): FlavorObjection[] {
  const wanted = need.architecture ?? 'x86_64';
  const all: [FlavorObjection['kind'], string | false][] = [
    ['disabled', flavor['OS-FLV-DISABLED:disabled'] && 'it is disabled'],
    ['small', flavor.vcpus < need.vcpus && `${flavor.vcpus} vCPU is less than ${need.vcpus}`],
    ['small', flavor.ram < need.ramMib && `${flavor.ram} MiB RAM is less than ${need.ramMib}`],
    [
      'architecture',
      traits.architecture !== null &&
        traits.architecture !== wanted &&
        `it is for ${traits.architecture}, not ${wanted}`,
    ],
    ['bare_metal', traits.bareMetal && 'it is a bare-metal machine'],
    ['special', traits.gpu && 'it has a GPU that is not needed'],
    ['special', traits.passthrough && 'it passes a device of the host through'],
    ['special', traits.infiniband && 'it has Infiniband that is not needed'],
  ];
  return all.flatMap(([kind, text]) => (text === false ? [] : [{ kind, text }]));
}

/** What is special about a flavor that fits, and is not asked for. */
function specialities(traits: Traits, need: FlavorNeed): string[] {
  return [
    traits.dedicated && 'dedicated cores',
    traits.nested && need.nested !== true && 'nested virtualization',
    !traits.nested && need.nested === true && 'no promise of nested virtualization',
    traits.hugePages && 'huge pages',
    traits.otherHypervisor !== null && `hypervisor ${traits.otherHypervisor}`,
  ].filter((special) => special !== false);
}

/** Waste in proportion to the need, plus a little for a root disk that stays unused and for small drawbacks. */
function costOf(flavor: Flavor, traits: Traits, need: FlavorNeed): number {
  const waste = (has: number, wants: number) => (has - wants) / Math.max(1, wants);
  return (
    waste(flavor.vcpus, need.vcpus) +
    waste(flavor.ram, need.ramMib) +
    (flavor.disk > 0 ? 0.25 : 0) +
    (flavor['OS-FLV-EXT-DATA:ephemeral'] > 0 ? 0.25 : 0) +
    traits.drawbacks * 0.1
  );
}

function reasonFor(flavor: Flavor, special: string[], need: FlavorNeed): string {
  const exact = flavor.vcpus === need.vcpus && flavor.ram === need.ramMib;
  return [
    `${flavor.vcpus} vCPU and ${flavor.ram} MiB ${exact ? 'exactly' : `for ${need.vcpus} and ${need.ramMib}, the smallest that fits`}`,
    flavor.disk === 0 ? 'no root disk' : `its root disk of ${flavor.disk} GiB stays unused`,
    ...special.map((what) => `${what} (nothing plainer fits)`),
  ].join(', ');
}

function noFlavor(rejected: readonly RejectedFlavor[], need: FlavorNeed): StackferryError {
  const missing = ({ flavor, reasons }: RejectedFlavor) =>
    Math.max(0, need.vcpus - flavor.vcpus) / need.vcpus +
    Math.max(0, need.ramMib - flavor.ram) / need.ramMib +
    // What is of another kind is farther away than what is only too small.
    reasons.filter((reason) => !reason.includes('is less than')).length * 10;
  const [nearest] = [...rejected].sort((a, b) => missing(a) - missing(b) || b.flavor.vcpus - a.flavor.vcpus);
  const wanted = `${need.vcpus} vCPU and ${need.ramMib} MiB RAM`;
  return new StackferryError(
    'cloud.no_flavor',
    nearest
      ? `No flavor has ${wanted}. The nearest is ${nearest.flavor.name}: ${nearest.reasons.join('; ')}.`
      : `This project sees no flavor at all, so none has ${wanted}.`,
    {
      hint: 'Choose one by name with --flavor (a smaller one gives the server less than it had), or ask the operator for a larger one.',
      exitCode: 3,
      details: { vcpus: need.vcpus, ram_mib: need.ramMib, nearest: nearest?.flavor.name ?? null },
    },
  );
}
