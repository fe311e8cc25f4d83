import type { Flavor } from './compute/flavors.js';

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

/** Chooses the smallest flavor that fits; throws `cloud.no_flavor` naming the nearest and why it does not fit. */
export declare function chooseFlavor(flavors: readonly Flavor[], need: FlavorNeed): FlavorChoice;
