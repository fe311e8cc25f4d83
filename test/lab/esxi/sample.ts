import type { HostSpec, VmSpec } from './spec.js';

export const MIB = 1024 * 1024;

/** A VM with one 16 MiB disk and one NIC on `VM Network`, unless the spec says otherwise. */
export function vm(spec: VmSpec): VmSpec {
  return { disks: [{ sizeBytes: 16 * MIB }], nics: [{ network: 'VM Network' }], ...spec };
}

export interface SampleOptions {
  /** Path of a bootable raw image that becomes web01's first disk. */
  bootImage?: string;
}

/** The ready set: about a dozen VMs, each odd in one way. */
export function sampleHost(options: SampleOptions = {}): HostSpec {
  const boot = options.bootImage === undefined ? {} : { image: options.bootImage };
  return {
    vms: [vm({ name: 'web01', disks: [{ sizeBytes: 48 * MIB, mbr: true, ...boot }, { sizeBytes: 16 * MIB }] })],
  };
}

/** A host with n small powered-off VMs `vm-001` …, for round trips and batches. */
export function manyVms(n: number): HostSpec {
  return { vms: Array.from({ length: n }, (_, i) => vm({ name: `vm-${String(i + 1).padStart(3, '0')}` })) };
}
