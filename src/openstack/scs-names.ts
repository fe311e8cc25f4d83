/**
 * Flavor names of the Sovereign Cloud Stack. Source: SCS-0100 v3, "SCS Flavor Naming Standard": `SCS-` CPUs suffix `-`
 * RAM [`-` disk] [`_` extensions], case matters and the order is fixed.
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
  gpu: boolean;
  infiniband: boolean;
}

const NAME = new RegExp(
  [
    '^SCS-(?<vcpus>[1-9]\\d*)(?<cpuType>[CTVL])(?<insecure>i?)',
    '-(?<ram>\\d+(?:\\.[05])?)(?<noEcc>u?)(?<oversubscribed>o?)',
    '(?<diskPart>-(?:(?<count>[1-9]\\d*)x)?(?<size>\\d+)?(?<diskType>[nhsp])?)?',
    '(?:_(?<hypervisor>kvm|chy|xen|vmw|hyv|bms))?',
    '(?<nested>_hwv)?',
    '(?:_(?<arch>[izar])\\d*h{0,3})?',
    '(?<gpu>_[Gg][NAI][^_]*)?',
    '(?<infiniband>_ib)?$',
  ].join(''),
);

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
    gpu: parts['gpu'] !== undefined,
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
