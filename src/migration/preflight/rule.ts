import type { ImageSection, PortSection, ServerSection, VolumeSection } from '../plan/sections.js';
import type { SeenVm } from '../plan/document/index.js';
import type { CloudFacts } from '../cloud-facts.js';
import type { Finding } from '../findings/index.js';
import type { ConverterFacts } from '../converter-facts.js';
import type { HostFacts } from '../host-facts.js';
import type { Limits, Port } from '../../openstack/index.js';

/** One VM with what is (still) to be made for it. Parts that could not be settled are left out. */
export interface PreflightVm {
  id: string;
  name: string;
  vm: SeenVm;
  /** Labels of the disks that move. */
  labels: readonly string[];
  images: readonly ImageSection[];
  volumes: readonly VolumeSection[];
  ports: readonly PortSection[];
  /** Null where no server is to be made. */
  server: ServerSection | null;
  /** False: none was found, and `server` holds the size of the VM in its place, for the sums. */
  hasFlavor: boolean;
}

/** The cloud's side, read once for all VMs. */
export interface TargetFacts extends CloudFacts {
  project: { id: string; name: string };
  roles: readonly string[];
  /** Service types of the catalog. */
  catalog: readonly string[];
  /** Of Nova, `2.93`; null where it has none. */
  microversion: string | null;
  limits: Limits;
  /** Name of the volume type that a volume gets if none is named; null where the cloud does not say. */
  defaultVolumeType: string | null;
  /** Ports of the networks that are used, as far as the project sees them; those that the VMs have already are left out. */
  ports: readonly Port[];
}

/** All that is looked at. A side that was not, or could not be, is null. */
export interface PreflightFacts {
  vms: readonly PreflightVm[];
  target: TargetFacts | null;
  host: HostFacts | null;
  converter: ConverterFacts | null;
}

/** Where a finding belongs: to a VM, or to what all VMs share. */
export type Place = 'cloud' | 'host' | 'converter' | { vm: string };

export interface PreflightFinding {
  place: Place;
  finding: Finding;
}

/** A rule: it looks at all VMs together. Pure, so the same facts always give the same findings. */
export interface PreflightRule {
  /** Every code that the rule can give. */
  readonly codes: readonly string[];
  /** Those of them whose blockers a person may take knowingly: the migration can go well in spite of them. */
  readonly overridable?: readonly string[];
  find(facts: PreflightFacts): PreflightFinding[];
}

/** A rule on the cloud's side; where that could not be read, it finds nothing. */
export function cloudRule(rule: {
  codes: readonly string[];
  overridable?: readonly string[];
  find: (target: TargetFacts, vms: readonly PreflightVm[]) => PreflightFinding[];
}): PreflightRule {
  return { ...rule, find: ({ target, vms }) => (target ? rule.find(target, vms) : []) };
}

/** A finding of one VM. */
export function ofVm({ id }: PreflightVm, found: Finding): PreflightFinding {
  return { place: { vm: id }, finding: found };
}

/** Whether the project may do on the network what only its owner or an administrator may: choose MACs and addresses. */
export function isOwner(target: TargetFacts, network: { project_id?: string | null | undefined }): boolean {
  return network.project_id === target.project.id || target.roles.includes('admin');
}

/** `a`, `a and b`, `a, b and 3 more`. */
export function namesOf(names: readonly string[]): string {
  if (names.length <= 2) return names.join(' and ');
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}
