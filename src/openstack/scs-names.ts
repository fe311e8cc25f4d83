/**
 * Flavor names of the Sovereign Cloud Stack. Source: SCS-0100 v3, "SCS Flavor Naming Standard": `SCS-` CPUs suffix `-`
 * RAM [`-` disk] [`_` extensions], case matters and the order is fixed. Extensions: hypervisor, `hwv`, CPU vendor with
 * generation and frequency, GPU (`G` passed through, `g` virtual; vendor, generation, `-` processing units, `-` GiB of
 * memory, each with `h` for a high-performance one), `ib`.
 */
export interface ScsName {
  vcpus: number;
  /** C dedicated core, T dedicated thread, V shared, L heavily shared. */
  cpuType: 'C' | 'T' | 'V' | 'L';
  /** Runs without the microcode that closes known holes. */
  insecure: boolean;
  ramGib: number;
  /** Without ECC. */
  noEcc: boolean;
  /** More RAM is promised than there is. */
  oversubscribed: boolean;
  /** Null: no root disk. A size of null: the cloud chooses it. */
  disk: { count: number; sizeGb: number | null; type: 'n' | 'h' | 's' | 'p' | null } | null;
  hypervisor: 'kvm' | 'chy' | 'xen' | 'vmw' | 'hyv' | 'bms' | null;
  nested: boolean;
  architecture: 'x86_64' | 'aarch64' | 'riscv64';
  /** Of the vendor's; null where it is not named. */
  cpuGeneration: number | null;
  /** 1 to 3: above 2.75, 3.25, 3.75 GHz on all cores. */
  frequency: 0 | 1 | 2 | 3;
  gpu: {
    passThrough: boolean;
    vendor: 'nvidia' | 'amd' | 'intel';
    /** `a` for Ampere, `0.9` for Gen9 …; empty where it is not named. */
    generation: string;
    units: number | null;
    memoryGib: number | null;
  } | null;
  infiniband: boolean;
}

const NAME = new RegExp(
  [
    '^SCS-(?<vcpus>[1-9]\\d*)(?<cpuType>[CTVL])(?<insecure>i?)',
    '-(?<ram>\\d+(?:\\.[05])?)(?<noEcc>u?)(?<oversubscribed>o?)',
    '(?<diskPart>-(?:(?<count>[1-9]\\d*)x)?(?<size>\\d+)?(?<diskType>[nhsp])?)?',
    '(?:_(?<hypervisor>kvm|chy|xen|vmw|hyv|bms))?',
    '(?<nested>_hwv)?',
    '(?:_(?<arch>[izar])(?<generation>\\d{1,2})?(?<frequency>h{0,3}))?',
    '(?:_(?<gpu>[Gg])(?<gpuVendor>[NAI])(?<gpuGeneration>[a-z]*|\\d+(?:\\.\\d+)?)',
    '(?:-(?<units>[1-9]\\d*)h*(?:-(?<memory>[1-9]\\d*)h*)?|h*))?',
    '(?<infiniband>_ib)?$',
  ].join(''),
);

const GPU_VENDOR: Record<string, 'nvidia' | 'amd' | 'intel'> = { N: 'nvidia', A: 'amd', I: 'intel' };
const ARCHITECTURE: Record<string, ScsName['architecture']> = { a: 'aarch64', r: 'riscv64' };

/** The parts of an SCS flavor name; undefined for any other name, also one in the wrong order. */
export function parseScsName(name: string): ScsName | undefined {
  const parts = NAME.exec(name)?.groups;
  if (!parts) return undefined;
  const ramGib = Number(parts['ram']);
  // A count without a size says nothing: `-2x`.
  if (ramGib === 0 || (parts['count'] !== undefined && parts['size'] === undefined)) return undefined;
  return {
    vcpus: Number(parts['vcpus']),
    cpuType: parts['cpuType'] as ScsName['cpuType'],
    insecure: parts['insecure'] === 'i',
    ramGib,
    noEcc: parts['noEcc'] === 'u',
    oversubscribed: parts['oversubscribed'] === 'o',
    disk:
      parts['diskPart'] === undefined
        ? null
        : {
            count: Number(parts['count'] ?? 1),
            sizeGb: parts['size'] === undefined ? null : Number(parts['size']),
            type: (parts['diskType'] ?? null) as 'n' | 'h' | 's' | 'p' | null,
          },
    hypervisor: (parts['hypervisor'] ?? null) as ScsName['hypervisor'],
    nested: parts['nested'] !== undefined,
    architecture: ARCHITECTURE[parts['arch'] ?? ''] ?? 'x86_64',
    cpuGeneration: parts['generation'] === undefined ? null : Number(parts['generation']),
    frequency: (parts['frequency']?.length ?? 0) as ScsName['frequency'],
    gpu:
      parts['gpu'] === undefined
        ? null
        : {
            passThrough: parts['gpu'] === 'G',
            vendor: GPU_VENDOR[parts['gpuVendor'] ?? ''] ?? 'nvidia',
            generation: parts['gpuGeneration'] ?? '',
            units: parts['units'] === undefined ? null : Number(parts['units']),
            memoryGib: parts['memory'] === undefined ? null : Number(parts['memory']),
          },
    infiniband: parts['infiniband'] !== undefined,
  };
}

/** The aspects that a volume type's description opens with: `[scs:encrypted, replicated] …`. Source: SCS-0114. */
export function volumeTypeAspects(description: string | null | undefined): string[] {
  const match = /^\s*\[scs:([^\]]*)\]/.exec(description ?? '');
  return (match?.[1] ?? '')
    .split(',')
    .map((aspect) => aspect.trim())
    .filter((aspect) => aspect !== '');
}
