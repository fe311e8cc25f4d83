import { datastoresOfSummary } from '../inventory/datastores.js';
import { canonicalUuid } from '../inventory/host-record.js';
import { decodeNetworkName, portGroupsOfVimCmd, type VimPortGroup } from '../inventory/networks.js';
import type { DatastoreRecord, HostRecord } from '../inventory/schema.js';
import { nonEmpty } from '../parse/non-empty.js';
import { pick, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';
import { type ManagedObject, readAll, readObject } from './properties.js';
import type { MoRef } from './reading.js';
import type { SoapSession } from './session.js';
import { vimValue } from './values.js';

function propertyOf(object: ManagedObject, name: string): VimValue {
  const element = object.properties.get(name);
  return element ? vimValue(element) : null;
}

/** Hosts behind this API: one of a standalone host, those of a vCenter. */
export function readHosts(session: SoapSession): Promise<ManagedObject[]> {
  return readAll(session, 'HostSystem', ['summary', 'configManager', 'config.network'], 'tell about itself');
}

/** The host's record. Of a vCenter with several hosts it is the vCenter's own: which host is meant, nobody said. */
export async function readHostRecord(session: SoapSession, hosts: readonly ManagedObject[]): Promise<HostRecord> {
  const { about } = session.content;
  const [host, ...more] = hosts;
  const license = await readLicense(session);
  if (!host || more.length > 0) {
    const name = session.name.replace(/^.*@|:\d+$/g, '');
    return { name, product: about.name, version: about.version, build: about.build ?? null, uuid: null, license };
  }
  const summary = propertyOf(host, 'summary');
  const dns = pick(propertyOf(host, 'config.network'), 'dnsConfig');
  const [hostName, domain] = [nonEmpty(pickString(dns, 'hostName')), nonEmpty(pickString(dns, 'domainName'))];
  const product = (name: string) => nonEmpty(pickString(summary, 'config', 'product', name));
  return {
    name:
      (hostName !== null && domain !== null ? `${hostName}.${domain}` : hostName) ??
      pickString(summary, 'config', 'name'),
    product: product('name') ?? about.name,
    version: product('version') ?? about.version,
    build: product('build') ?? about.build ?? null,
    uuid: canonicalUuid(pickString(summary, 'hardware', 'uuid')),
    license,
  };
}

/**
 * The edition's key, never the serial that stands beside it; null where the account may not see licences. Where several
 * are installed the evaluation is the one that is no longer in force.
 */
async function readLicense(session: SoapSession): Promise<string | null> {
  const { licenseManager } = session.content;
  if (!licenseManager) return null;
  const object = await readObject(session, licenseManager, ['licenses'], 'tell its licence');
  const licenses = propertyOf(object, 'licenses');
  const keys = (Array.isArray(licenses) ? licenses : []).map((license) => pickString(license, 'editionKey'));
  const known = keys.filter((key) => key !== null && /^[A-Za-z0-9._-]+$/.test(key));
  return known.find((key) => key !== 'eval') ?? known[0] ?? null;
}

/** The datastores, with the version of the file system where the host tells it (`VMFS-6`, as esxcli has it). */
export async function readDatastores(session: SoapSession): Promise<DatastoreRecord[]> {
  const objects = await readAll(session, 'Datastore', ['summary', 'info'], 'list its datastores');
  return objects.flatMap((object) => {
    const major = pickNumber(propertyOf(object, 'info'), 'vmfs', 'majorVersion');
    return datastoresOfSummary(propertyOf(object, 'summary')).map((record) => ({
      ...record,
      type: record.type === 'VMFS' && major !== null ? `VMFS-${major}` : record.type,
    }));
  });
}

/** The port groups of the hosts' own switches, each name once. */
export async function readPortGroups(session: SoapSession, hosts: readonly ManagedObject[]): Promise<VimPortGroup[]> {
  const found = new Map<string, VimPortGroup>();
  for (const host of hosts) {
    const system = managerOf(host, 'networkSystem');
    if (!system) continue;
    const object = await readObject(session, system, ['networkInfo'], 'list its networks');
    for (const group of portGroupsOfVimCmd(propertyOf(object, 'networkInfo'))) {
      const name = decodeNetworkName(group.name);
      if (!found.has(name)) found.set(name, { ...group, name });
    }
  }
  return [...found.values()];
}

/** A manager of a host: `networkSystem`, `advancedOption`. */
export function managerOf(host: ManagedObject, name: string): MoRef | null {
  const element = host.properties.get('configManager')?.child(name);
  return element?.managedType ? { type: element.managedType, id: element.text } : null;
}

/** The promiscuous policy of port groups and of the switches below them. */
export function promiscuousNames(groups: readonly VimPortGroup[]): Set<string> {
  return new Set(groups.filter(({ promiscuous }) => promiscuous === true).map(({ name }) => name));
}
