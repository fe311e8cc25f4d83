import { devicesOf } from '../inventory/devices.js';
import { decodeNetworkName } from '../inventory/networks.js';
import type { DatastorePaths } from '../inventory/paths.js';
import type { VmSource } from '../inventory/vm-source.js';
import { isObject, pick, pickArray, pickString, type VimValue } from '../parse/vim-object.js';
import { vmxOfConfig } from './config-vmx.js';
import type { ManagedObject } from './properties.js';
import { typed, vimValue } from './values.js';

/**
 * Whole objects, never single fields of them: a host that does not know a field refuses the whole question, and old ones
 * know fewer.
 */
export const VM_PROPERTIES = ['name', 'summary', 'guest', 'config', 'snapshot', 'layoutEx'] as const;

/** What the API says about one VM, as the other door reads it; the layout of its files beside it. */
export function vmSourceOf(object: ManagedObject, paths: DatastorePaths): { source: VmSource; layout: VimValue } {
  const value = (name: (typeof VM_PROPERTIES)[number]): VimValue => {
    const element = object.properties.get(name);
    return element ? vimValue(element) : null;
  };
  const [summary, config, guest] = [value('summary'), value('config'), value('guest')];
  const written = pickString(summary, 'config', 'vmPathName') ?? pickString(config, 'files', 'vmPathName') ?? '';
  const path = paths.resolve(written, null);
  const source: VmSource = {
    listed: {
      id: object.ref.id,
      name: namesOf(object)[0] ?? object.ref.id,
      vmxPath: written,
      guestId: pickString(config, 'guestId'),
      version: pickString(config, 'version'),
      annotation: pickString(config, 'annotation') ?? '',
    },
    summary: isObject(summary)
      ? { state: 'read', value: summary }
      : { state: 'failed', why: notTold(object, 'summary') },
    guest,
    devices: devicesOf(typed(pick(config, 'hardware'), 'VirtualHardware')),
    snapshots: countSnapshots(pickArray(value('snapshot'), 'rootSnapshotList')),
    vmx: isObject(config) ? { path, vmx: vmxOfConfig(config) } : { path, problem: notTold(object, 'config') },
  };
  return { source, layout: value('layoutEx') };
}

/**
 * A VM's name as the list of VMs has it, and as it is where that escapes `/`, `\\` and `%` (vSphere API,
 * ManagedEntity.name): either may be asked for.
 */
export function namesOf(object: ManagedObject): string[] {
  const written = object.properties.get('name')?.text ?? object.ref.id;
  return [...new Set([written, decodeNetworkName(written)])];
}

function notTold({ missing }: ManagedObject, property: string): string {
  const fault = missing.get(property);
  return fault === undefined
    ? `the host does not tell its ${property}`
    : `the host does not tell this account its ${property} (${fault})`;
}

function countSnapshots(list: readonly VimValue[]): number {
  let count = 0;
  const left = [...list];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    count++;
    left.push(...pickArray(node, 'childSnapshotList'));
  }
  return count;
}
