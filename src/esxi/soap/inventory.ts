import type { Context } from '../../core/index.js';
import { canonicalUuid } from '../inventory/host-record.js';
import { DatastorePaths } from '../inventory/paths.js';
import type { Inventory, SkippedRecord, VmRecord } from '../inventory/schema.js';
import { asksForUuid, candidates } from '../inventory/select.js';
import { draftOf, vmRecord, type VmSurroundings } from '../inventory/vm-record.js';
import { pickString } from '../parse/vim-object.js';
import { promiscuousNames, readDatastores, readHostRecord, readHosts, readPortGroups } from './about.js';
import { diskOfApi } from './disks.js';
import { type ManagedObject, readAll, readObjects } from './properties.js';
import type { SoapSession } from './session.js';
import { vimValue } from './values.js';
import { VM_PROPERTIES, namesOf, vmSourceOf } from './vm-source.js';

const WHAT = 'list its VMs';

/**
 * Reads the inventory over the API: the same records as over SSH. With `only` just the VMs that fit, and those that share
 * a name with one, are read in full; all of them where a disk is shared.
 */
export async function readApiInventory(
  session: SoapSession,
  ctx: Context,
  options: { only?: readonly string[] } = {},
): Promise<Inventory> {
  const { only } = options;
  const hosts = await readHosts(session);
  const [host, datastores, groups, chosen] = await Promise.all([
    readHostRecord(session, hosts),
    readDatastores(session),
    readPortGroups(session, hosts),
    only === undefined ? readAll(session, 'VirtualMachine', VM_PROPERTIES, WHAT) : readChosen(session, only),
  ]);
  const networks = groups.map(({ name, vlan_id, vswitch }) => ({ name, vlan_id, vswitch }));
  const around = { paths: new DatastorePaths(datastores, new Map()), networks, promiscuous: promiscuousNames(groups) };
  const { vms, skipped } = describe(chosen, around);
  if (only !== undefined && vms.some(({ disks }) => disks.some(({ shared }) => shared))) {
    // Whether a shared disk may be copied depends on the others that use it.
    const known = new Set(chosen.map(({ ref }) => ref.id));
    const all = await readAll(session, 'VirtualMachine', VM_PROPERTIES, WHAT);
    vms.push(
      ...describe(
        all.filter(({ ref }) => !known.has(ref.id)),
        around,
      ).vms,
    );
  }
  ctx.log.debug('inventory read', { vms: vms.length, skipped: skipped.length });
  return { host, datastores, networks, vms: vms.sort(byId), skipped: skipped.sort(byId) };
}

/** `16` of a host, `vm-16` of a vCenter. */
function byId(a: { id: string }, b: { id: string }): number {
  const number = ({ id }: { id: string }) => Number(/\d+$/.exec(id)?.[0] ?? 0);
  return number(a) - number(b);
}

async function readChosen(session: SoapSession, only: readonly string[]): Promise<ManagedObject[]> {
  const asked = ['name', ...(asksForUuid(only) ? ['summary'] : [])];
  const items = (await readAll(session, 'VirtualMachine', asked, WHAT)).flatMap((object) => {
    const summary = object.properties.get('summary');
    const uuid = canonicalUuid(summary ? pickString(vimValue(summary), 'config', 'uuid') : null);
    return namesOf(object).map((name) => ({ id: object.ref.id, name, uuid, ref: object.ref }));
  });
  const refs = new Map(candidates(items, only).map(({ id, ref }) => [id, ref]));
  return readObjects(session, [...refs.values()], VM_PROPERTIES, WHAT);
}

function describe(
  objects: readonly ManagedObject[],
  around: VmSurroundings,
): { vms: VmRecord[]; skipped: SkippedRecord[] } {
  const vms: VmRecord[] = [];
  const skipped: SkippedRecord[] = [];
  for (const object of objects) {
    const { source, layout } = vmSourceOf(object, around.paths);
    // The device list is what the API has; there is no .vmx that could know better.
    const draft = draftOf(source, true, true);
    if ('skip' in draft) {
      skipped.push({ id: object.ref.id, name: source.listed.name, reason: draft.skip });
      continue;
    }
    const disks = draft.disks.map((disk) => diskOfApi(disk, source.devices, layout, around.paths));
    vms.push(vmRecord(draft, disks, around));
  }
  return { vms, skipped };
}
