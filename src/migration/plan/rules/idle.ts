import type { VmRecord } from '../../../esxi/index.js';
import { isWithin } from '../resolve-ports.js';
import { fitsDisk, fitsNic, fitsVm } from './apply.js';
import type { MappingRules, NetworkRule, VmRule, VolumeRule } from './schema.js';

/**
 * What is worth knowing of rules that do nothing: those that never can, for earlier ones take all that they fit, and
 * those that fit nothing of these VMs. A line each; empty where every rule has its use.
 */
export function idleRules(rules: MappingRules, vms: readonly VmRecord[]): string[] {
  const never = [
    ...shadowed('networks', rules.networks, coversNetwork),
    ...shadowed('volumes', rules.volumes, coversVolume),
    ...shadowedVms(rules.vms),
  ];
  const unused = [
    ...unfit('networks', rules.networks, (rule) => vms.some((vm) => vm.nics.some((nic) => fitsNic(rule, vm, nic)))),
    ...unfit('volumes', rules.volumes, (rule) => vms.some((vm) => vm.disks.some((disk) => fitsDisk(rule, vm, disk)))),
    ...unfit('vms', rules.vms, (rule) => vms.some((vm) => fitsVm(rule, vm))),
  ];
  const of = vms.length === 1 ? 'this VM' : `these ${vms.length} VMs`;
  return [...never, ...(unused.length === 0 ? [] : [`Rules that fit nothing of ${of}: ${unused.join(', ')}.`])];
}

type List = 'networks' | 'volumes' | 'vms';

function shadowed<R>(list: List, rules: readonly R[], covers: (earlier: R, later: R) => boolean): string[] {
  return rules.flatMap((rule, index) => {
    const by = rules.slice(0, index).findIndex((earlier) => covers(earlier, rule));
    return by < 0 ? [] : [`${list} rule ${index + 1} never counts: ${list} rule ${by + 1} takes all that it fits.`];
  });
}

/** Of `vms` each field is taken by itself: a rule is idle where every field of it was said by an earlier one. */
function shadowedVms(rules: readonly VmRule[]): string[] {
  return rules.flatMap((rule, index) => {
    const fields = (Object.keys(rule) as (keyof VmRule)[]).filter(
      (key) => !['name', 'folder', 'guest_id'].includes(key),
    );
    const by = fields.map((key) =>
      rules.slice(0, index).findIndex((earlier) => earlier[key] !== undefined && coversVm(earlier, rule)),
    );
    if (fields.length === 0) return [`vms rule ${index + 1} says nothing.`];
    if (by.includes(-1)) return [];
    const names = [...new Set(by)].map((place) => place + 1);
    return [`vms rule ${index + 1} never counts: vms rule ${names.join(' and ')} says all that it says.`];
  });
}

function unfit<R>(list: List, rules: readonly R[], fits: (rule: R) => boolean): string[] {
  return rules.flatMap((rule, index) => (fits(rule) ? [] : [`${list} rule ${index + 1}`]));
}

const coversVm = (earlier: VmRule, later: VmRule) =>
  coversGlob(earlier.name, later.name) &&
  coversGlob(earlier.folder, later.folder) &&
  coversGlob(earlier.guest_id, later.guest_id);

const coversNetwork = (earlier: NetworkRule, later: NetworkRule) =>
  coversGlob(earlier.port_group, later.port_group) &&
  coversGlob(earlier.vm, later.vm) &&
  (earlier.vlan_id === undefined || earlier.vlan_id === later.vlan_id) &&
  coversCidr(earlier.address, later.address);

const coversVolume = (earlier: VolumeRule, later: VolumeRule) =>
  coversGlob(earlier.datastore, later.datastore) &&
  coversGlob(earlier.vm, later.vm) &&
  coversGlob(earlier.label, later.label);

/**
 * Whether a glob surely fits every text that another one fits: it does where it fits that one's own text, its `*` taken
 * by a `*`. Some pairs are not seen (`a*b*` and `a**b`): then nothing is said.
 */
export function coversGlob(earlier: string | undefined, later: string | undefined): boolean {
  if (earlier === undefined || later === undefined) return earlier === undefined;
  const pattern = Array.from(earlier, (character) => {
    if (character === '*') return '[^]*';
    if (character === '?') return '[^*]';
    return character.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  }).join('');
  return new RegExp(`^${pattern}$`, 'u').test(later);
}

function coversCidr(earlier: string | undefined, later: string | undefined): boolean {
  if (earlier === undefined || later === undefined) return earlier === undefined;
  const bits = (cidr: string) => Number(cidr.split('/')[1]);
  return bits(earlier) <= bits(later) && isWithin(later.split('/')[0] ?? '', earlier);
}
