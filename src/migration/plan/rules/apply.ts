import { StackferryError } from '../../../core/index.js';
import type { DiskRecord, NicRecord, VmRecord } from '../../../esxi/index.js';
import { volumeTypeAspects } from '../../../openstack/index.js';
import type { CloudFacts } from '../../cloud-facts.js';
import { globFits, type HardwareChoice, type MappingOptions, type NicMapping } from '../options.js';
import { metadataValue } from '../names.js';
import { isWithin } from '../resolve-ports.js';
import { datastoreOf, typeOfDatastore } from '../resolve-volumes.js';
import type { MappingRules, NetworkRule, VmRule, VolumeRule } from './schema.js';
import { expandTemplate } from './template.js';

type RuleFacts = Pick<CloudFacts, 'networks' | 'subnets' | 'volumeTypes'>;

/** Which project a VM belongs to by the rules; null where none says. */
export function projectOf(vm: VmRecord, rules: MappingRules): { project: string; rule: string } | null {
  const found = firstWith(vm, rules, 'project');
  return found ? { project: found.value, rule: found.rule } : null;
}

/**
 * The options of one VM: what the command line said, and for the rest what the rules say.
 * @throws StackferryError `cloud.no_network`, `cloud.volume_type` (exit code 3) where a rule asks for what is not there.
 */
export function applyRules(
  vm: VmRecord,
  rules: MappingRules,
  said: Partial<MappingOptions>,
  facts: RuleFacts,
  host: string,
): Partial<MappingOptions> {
  const take = <K extends keyof VmRule>(key: K) => firstWith(vm, rules, key)?.value;
  const serverName = take('server_name');
  const hardware = firstWith(vm, rules, 'hardware');
  const metadata = take('metadata');
  const zone = take('zone');
  const volumeZone = take('volume_zone');
  const flavor = take('flavor');
  const keyName = take('key_name');
  const securityGroups = take('security_groups');
  const tags = take('tags');
  const volumeTypes = said.volumeType === undefined ? typesOf(vm, rules, said, facts) : {};
  return {
    ...(zone === undefined ? {} : { zone }),
    ...(volumeZone === undefined ? {} : { volumeZone }),
    ...(flavor === undefined ? {} : { flavor }),
    ...(keyName === undefined ? {} : { keyName }),
    ...(securityGroups === undefined ? {} : { securityGroups }),
    ...(tags === undefined ? {} : { tags }),
    ...(serverName === undefined ? {} : { name: expandTemplate(serverName, vm, host) }),
    ...(metadata === undefined
      ? {}
      : {
          metadata: Object.fromEntries(
            Object.entries(metadata).map(([key, value]) => [key, metadataValue(expandTemplate(value, vm, host))]),
          ),
        }),
    ...(hardware === undefined ? {} : { hardware: choiceOf(hardware.value, hardware.rule) }),
    ...(Object.keys(volumeTypes).length === 0 ? {} : { volumeTypes }),
    ...said,
    nics: [...(said.nics ?? []), ...nicsOf(vm, rules, said, facts)],
  };
}

function choiceOf(said: NonNullable<VmRule['hardware']>, reason: string): HardwareChoice {
  return {
    reason,
    ...(said.disk_bus === undefined ? {} : { diskBus: said.disk_bus }),
    ...(said.scsi_model === undefined ? {} : { scsiModel: said.scsi_model }),
    ...(said.vif_model === undefined ? {} : { vifModel: said.vif_model }),
    ...(said.firmware_type === undefined ? {} : { firmwareType: said.firmware_type }),
    ...(said.properties === undefined ? {} : { properties: said.properties }),
  };
}

/** The first rule that fits the VM and says something of this field. */
function firstWith<K extends keyof VmRule>(
  vm: VmRecord,
  rules: MappingRules,
  key: K,
): { value: NonNullable<VmRule[K]>; rule: string } | undefined {
  for (const [index, rule] of rules.vms.entries()) {
    const value = rule[key];
    if (value === undefined || !fitsVm(rule, vm)) continue;
    return { value, rule: `vms rule ${index + 1}` };
  }
  return undefined;
}

export function fitsVm(rule: VmRule, vm: VmRecord): boolean {
  const folder = vm.vmx_path.replace(/\/[^/]*$/, '');
  return fits(rule.name, vm.name) && fits(rule.folder, folder) && fits(rule.guest_id, vm.guest_id);
}

/** A condition that is not said always holds; one that is said does not hold of what is not known. */
function fits(glob: string | undefined, value: string | null): boolean {
  return glob === undefined || (value !== null && globFits(glob, value));
}

/** A mapping for each NIC that a rule fits, unless the command line says where it goes. */
function nicsOf(vm: VmRecord, rules: MappingRules, said: Partial<MappingOptions>, facts: RuleFacts): NicMapping[] {
  return vm.nics.flatMap((nic): NicMapping[] => {
    const isSaid =
      said.nics?.some((item) => item.label === nic.label) === true ||
      said.networks?.some((item) => nic.network !== null && globFits(item.source, nic.network)) === true;
    if (isSaid) return [];
    const index = rules.networks.findIndex((rule) => fitsNic(rule, vm, nic));
    const rule = rules.networks[index];
    if (!rule) return [];
    const name = `networks rule ${index + 1}`;
    return [
      {
        label: nic.label,
        target: rule.network ?? networkAround(nic, facts, vm, name),
        ips: [],
        mac: null,
        reason: name,
        ...(rule.security_groups === undefined ? {} : { securityGroups: rule.security_groups }),
        ...(rule.keep_ip === undefined ? {} : { keepIp: rule.keep_ip }),
      },
    ];
  });
}

export function fitsNic(rule: NetworkRule, vm: VmRecord, nic: NicRecord): boolean {
  const { address } = rule;
  return (
    fits(rule.port_group, nic.network) &&
    fits(rule.vm, vm.name) &&
    (rule.vlan_id === undefined || rule.vlan_id === nic.vlan_id) &&
    (address === undefined || nic.ip_addresses.some((ip) => isWithin(ip, address)))
  );
}

/** The network of the subnet that contains an address of the guest. */
function networkAround(nic: NicRecord, facts: RuleFacts, vm: VmRecord, rule: string): string {
  const around = facts.subnets.filter((subnet) => nic.ip_addresses.some((ip) => isWithin(ip, subnet.cidr)));
  const networks = [...new Set(around.map((subnet) => subnet.network_id))];
  const [only, ...more] = networks;
  if (only !== undefined && more.length === 0) return only;
  const addresses = nic.ip_addresses.join(', ') || 'no address that the host knows';
  throw new StackferryError(
    'cloud.no_network',
    `${rule} looks for the subnet around the address of ${nic.label} of ${vm.name} (${addresses}), and ${only === undefined ? 'there is none' : 'several networks have one'}.`,
    { hint: `Name the network in the rule, or on the command line: --nic ${nic.label}=NETWORK`, exitCode: 3 },
  );
}

/** The volume type of each disk that a rule fits, by label. */
function typesOf(
  vm: VmRecord,
  rules: MappingRules,
  said: Partial<MappingOptions>,
  facts: RuleFacts,
): Record<string, { type: string; reason: string }> {
  const entries = vm.disks.flatMap((disk) => {
    if (typeOfDatastore(disk, said)) return [];
    const index = rules.volumes.findIndex((rule) => fitsDisk(rule, vm, disk));
    const rule = rules.volumes[index];
    if (!rule) return [];
    const reason = `volumes rule ${index + 1}`;
    return [[disk.label, { type: rule.type ?? typeWith(rule.aspects ?? [], facts, reason), reason }] as const];
  });
  return Object.fromEntries(entries);
}

export function fitsDisk(rule: VolumeRule, vm: VmRecord, disk: DiskRecord): boolean {
  return fits(rule.vm, vm.name) && fits(rule.label, disk.label) && fits(rule.datastore, datastoreOf(disk));
}

/** The volume type that has all aspects (SCS-0114), and of several the one with the fewest others, then by name. */
export function typeWith(aspects: readonly string[], facts: Pick<CloudFacts, 'volumeTypes'>, by: string): string {
  const known = facts.volumeTypes.map((type) => ({ name: type.name, aspects: volumeTypeAspects(type.description) }));
  const [best] = known
    .filter((type) => aspects.every((aspect) => type.aspects.includes(aspect)))
    .sort((a, b) => a.aspects.length - b.aspects.length || a.name.localeCompare(b.name));
  if (best) return best.name;
  const list = known.map((type) => `${type.name} (${type.aspects.join(', ') || 'no aspect'})`).join(', ');
  throw new StackferryError(
    'cloud.volume_type',
    `${by} asks for a volume type with ${aspects.join(' and ')}, and none has that.`,
    {
      hint: `There are: ${list || 'none'}. An aspect stands in brackets before a type's description: [scs:encrypted].`,
      exitCode: 3,
    },
  );
}
