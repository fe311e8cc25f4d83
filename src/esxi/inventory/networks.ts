import { keyValue } from '../parse/esxcli-keyvalue.js';
import { parseEsxcliList } from '../parse/esxcli-list.js';
import { isObject, pick, pickArray, pickBoolean, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';
import { quote } from '../ssh/quoting.js';
import { type Frame, textOf } from './batch.js';
import { wholeNumber } from './datastores.js';
import type { NetworkRecord } from './schema.js';
import { nonEmpty } from '../parse/non-empty.js';

/** In names of networks `/`, `\` and `%` are written `%2f`, `%5c` and `%25` (vSphere API, ManagedEntity.name). */
export function decodeNetworkName(written: string): string {
  return written.replace(/%(2f|5c|25)/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

/** The port groups of `esxcli network vswitch standard portgroup list` (csv or table). */
export function networksOfEsxcli(text: string): NetworkRecord[] {
  return parseEsxcliList(text).flatMap((row) => {
    const name = row.get('name') ?? '';
    if (name === '') return [];
    return [{ name, vlan_id: wholeNumber(row.get('vlanid')), vswitch: nonEmpty(row.get('virtualswitch')) }];
  });
}

/** A port group of `vim-cmd hostsvc/net/info`; `promiscuous` is the policy in force, null where it is not told. */
export interface VimPortGroup extends NetworkRecord {
  promiscuous: boolean | null;
}

/** The port groups of `vim-cmd hostsvc/net/info` (vim.host.NetworkInfo). */
export function portGroupsOfVimCmd(value: VimValue): VimPortGroup[] {
  return pickArray(value, 'portgroup')
    .filter(isObject)
    .flatMap((group) => {
      const spec = pick(group, 'spec');
      const name = pickString(spec, 'name');
      if (name === null) return [];
      return [
        {
          name,
          vlan_id: pickNumber(spec, 'vlanId'),
          vswitch: pickString(spec, 'vswitchName'),
          promiscuous:
            pickBoolean(group, 'computedPolicy', 'security', 'allowPromiscuous') ??
            pickBoolean(spec, 'policy', 'security', 'allowPromiscuous'),
        },
      ];
    });
}

/** Lines of a batch that ask for the security policy of every port group and vSwitch. */
export function policyLines(networks: readonly NetworkRecord[]): string[] {
  const base = 'esxcli network vswitch standard';
  return [
    ...networks.map(({ name }, i) => `g pg.${i} ${base} portgroup policy security get -p ${quote(name)}`),
    ...vswitchesOf(networks).map((name, i) => `g vs.${i} ${base} policy security get -v ${quote(name)}`),
  ];
}

/**
 * The port groups that allow promiscuous mode: a port group shows the policy in force, and says whether it overrides
 * its vSwitch's; where it does not override, the vSwitch's own answer counts too.
 */
export function promiscuousOf(networks: readonly NetworkRecord[], frames: ReadonlyMap<string, Frame>): Set<string> {
  const allows = (frame: Frame | undefined) => /^true$/i.test(keyValue(textOf(frame), 'Allow Promiscuous') ?? '');
  const switches = new Set(vswitchesOf(networks).filter((_, i) => allows(frames.get(`vs.${i}`))));
  const groups = networks.filter(({ vswitch }, i) => {
    const frame = frames.get(`pg.${i}`);
    if (allows(frame)) return true;
    const overrides = /^true$/i.test(keyValue(textOf(frame), 'Override Vswitch Allow Promiscuous') ?? '');
    return !overrides && vswitch !== null && switches.has(vswitch);
  });
  return new Set(groups.map(({ name }) => name));
}

function vswitchesOf(networks: readonly NetworkRecord[]): string[] {
  return [...new Set(networks.map(({ vswitch }) => vswitch).filter((name) => name !== null))];
}
