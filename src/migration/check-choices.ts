import { InterruptedError, StackferryError, UsageError } from '../core/index.js';
import type { VmRecord } from '../esxi/index.js';
import type { CloudFacts } from './cloud-facts.js';
import { finding, type Finding } from './findings/finding.js';
import { seenOf, settlePort, settleServer, settleVolume, type PlannedVm, type SeenVm } from './plan/document/index.js';
import type { MappingOptions } from './plan/options.js';
import { resolveImages } from './plan/resolve-image.js';
import { resolvePorts } from './plan/resolve-ports.js';
import { resolveServer } from './plan/resolve-server.js';
import { resolveVolumes } from './plan/resolve-volumes.js';
import type { PreflightVm } from './preflight/index.js';

/** What could be settled for one VM, and a finding for each choice that could not. */
export interface Choices {
  item: PreflightVm;
  findings: Finding[];
}

/** The error of a choice as a finding of its VM: what ends `plan` is one line among others here. */
export function findingOf(error: unknown, subject: string): Finding {
  if (!(error instanceof StackferryError) || error instanceof UsageError || error instanceof InterruptedError) {
    throw error;
  }
  return finding(error.code, 'blocker', subject, { message: error.message, remedy: error.hint ?? '' });
}

/** The result, or a finding on this subject and nothing. */
function attempt<T>(findings: Finding[], subject: string, make: () => T): T[] {
  try {
    return [make()];
  } catch (error) {
    findings.push(findingOf(error, subject));
    return [];
  }
}

/**
 * Makes a thing of several choices. Each choice that fails is noted and then left open by `without`, until the rest can
 * be made: so that all of them are told at once. Null where nothing is left to be left out.
 */
function insist<C, T>(
  findings: Finding[],
  subject: string,
  choices: C,
  make: (choices: C) => T,
  without: (choices: C, code: string) => C | null,
): T | null {
  for (let left: C | null = choices; left !== null;) {
    try {
      return make(left);
    } catch (error) {
      const found = findingOf(error, subject);
      findings.push(found);
      left = without(left, found.code);
    }
  }
  return null;
}

/** Settles one VM by the mapping options, as `plan` does; what cannot be chosen becomes a finding. */
export function chooseParts(
  vm: VmRecord,
  labels: readonly string[],
  options: MappingOptions,
  facts: CloudFacts,
  context: { host: string; now: Date },
): Choices {
  const findings: Finding[] = [];
  const disks = vm.disks.filter((disk) => labels.includes(disk.label));
  const { nics, ...rest } = options;
  for (const nic of nics.filter((item) => !vm.nics.some((own) => own.label === item.label))) {
    attempt(findings, nic.label, () => resolvePorts(vm, { ...rest, nics: [nic] }, facts));
  }
  const volumes = disks.flatMap((disk, index) => {
    // What is found on the source says why, and stands in the way.
    if (disk.capacity_bytes === null) return [];
    const [volume] =
      insist(
        findings,
        disk.label,
        options,
        (left) => resolveVolumes(vm, [disk], left, facts),
        (left, code) => {
          const { volumeType, datastoreTypes, volumeTypes, volumeZone, ...others } = left;
          if (code === 'cloud.volume_type' && (volumeType ?? datastoreTypes ?? volumeTypes) !== undefined) {
            return { ...others, ...(volumeZone === undefined ? {} : { volumeZone }) };
          }
          return code === 'cloud.zone_mismatch' && volumeZone !== undefined
            ? { ...others, ...pick({ volumeType, datastoreTypes, volumeTypes }) }
            : null;
        },
      ) ?? [];
    return volume ? [{ ...volume, boot: index === 0 }] : [];
  });
  const ports = vm.nics.flatMap((nic) =>
    attempt(findings, nic.label, () =>
      resolvePorts(
        { name: vm.name, nics: [nic] },
        { ...rest, nics: nics.filter(({ label }) => label === nic.label) },
        facts,
      ),
    ).flat(),
  );
  const before = findings.length;
  const server = insist(
    findings,
    'vm',
    options,
    (left) => resolveServer(vm, left, facts, { host: context.host, id: vm.id }),
    (left, code) => {
      const { flavor, zone, keyName, ...others } = left;
      // Then the sums count a flavor of the VM's own size.
      if (code === 'cloud.no_flavor' && !(left.createFlavor === true && flavor === undefined)) {
        return { ...others, createFlavor: true, ...pick({ zone, keyName }) };
      }
      if (code === 'cloud.zone_mismatch' && zone !== undefined) return { ...others, ...pick({ flavor, keyName }) };
      return code === 'cloud.no_keypair' && keyName !== undefined ? { ...others, ...pick({ flavor, zone }) } : null;
    },
  );
  const hasFlavor = !findings.slice(before).some(({ code }) => code === 'cloud.no_flavor');
  return {
    item: {
      ...identity(seenOf(vm)),
      labels,
      images: resolveImages(vm, disks, options, { ...context, measured: facts.measured }),
      volumes,
      ports,
      server: server?.start === true ? server : null,
      hasFlavor,
    },
    findings,
  };
}

/** Settles one VM of a plan; names that the cloud no longer has become findings. */
export function settleParts(planned: PlannedVm, facts: CloudFacts): Choices {
  const findings: Finding[] = [];
  const { vm, images, server: wanted } = planned;
  const server = insist(
    findings,
    'vm',
    wanted,
    (left) => settleServer(left, facts, vm.name),
    (left, code) => {
      if (code === 'cloud.no_flavor' && left.create_flavor === null) {
        const size = { vcpus: vm.cpus ?? 1, ram_mib: vm.memory_mib ?? 1024 };
        // A name that several flavors bear would be found again.
        return { ...left, flavor: `${left.flavor} (unknown)`, create_flavor: size };
      }
      if (code === 'cloud.zone_mismatch' && left.zone !== null) return { ...left, zone: null };
      return code === 'cloud.no_keypair' && left.key_name !== null ? { ...left, key_name: null } : null;
    },
  );
  const hasFlavor = !findings.some(({ code }) => code === 'cloud.no_flavor');
  const volumes = planned.volumes.flatMap(
    (volume) =>
      insist(
        findings,
        volume.label,
        volume,
        (left) => settleVolume(left, facts, vm.name),
        (left, code) => {
          if (code === 'cloud.volume_type' && left.type !== null) return { ...left, type: null };
          return code === 'cloud.zone_mismatch' && left.zone !== null ? { ...left, zone: null } : null;
        },
      ) ?? [],
  );
  const ports = planned.ports.flatMap((port) => attempt(findings, port.label, () => settlePort(port, facts, vm.name)));
  return {
    item: {
      ...identity(vm),
      labels: vm.disks.map(({ label }) => label).filter((label) => !planned.skip_disks.includes(label)),
      images: images.map((image) => ({ ...image, format_reason: 'the plan' })),
      volumes,
      ports,
      server: server?.start === true ? server : null,
      hasFlavor,
    },
    findings,
  };
}

/** A VM of which nothing can be settled, for the cloud could not be read: its disks still want room here. */
export function noParts(vm: SeenVm, labels: readonly string[]): PreflightVm {
  return { ...identity(vm), labels, images: [], volumes: [], ports: [], server: null, hasFlavor: false };
}

const identity = (vm: SeenVm) => ({ id: vm.id, name: vm.name, vm });

/** Without the fields that are undefined. */
function pick<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
