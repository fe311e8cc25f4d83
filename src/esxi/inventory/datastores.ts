import { parseEsxcliList } from '../parse/esxcli-list.js';
import { isObject, pickBoolean, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';
import type { DatastoreRecord } from './schema.js';
import { nonEmpty } from '../parse/non-empty.js';

/** Volumes that hold VMs. Boot banks (vfat), the system's own volume (VMFSOS, VMFS-L) and caches (VFFS) do not. */
const DATASTORE_TYPE = /^(?:VMFS(?:-\d+)?|NFS(?:41)?|vsan|vvol|pmem|OTHER)$/i;

/** The datastores of `esxcli storage filesystem list` (csv or table). A volume without a label goes by its uuid. */
export function datastoresOfEsxcli(text: string): DatastoreRecord[] {
  const records: DatastoreRecord[] = [];
  for (const row of parseEsxcliList(text)) {
    const type = row.get('type')?.trim() ?? '';
    const mount = /^\/vmfs\/volumes\/([^/]+)$/.exec(row.get('mountpoint')?.trim() ?? '')?.[1];
    const uuid = mount ?? nonEmpty(row.get('uuid'));
    if (!DATASTORE_TYPE.test(type) || uuid === null) continue;
    const mounted = row.get('mounted')?.trim().toLowerCase() !== 'false';
    records.push({
      name: nonEmpty(row.get('volumename')) ?? uuid,
      uuid,
      type,
      capacity_bytes: mounted ? wholeNumber(row.get('size')) : null,
      free_bytes: mounted ? wholeNumber(row.get('free')) : null,
    });
  }
  return records;
}

/** The datastores of `vim-cmd hostsvc/datastore/listsummary`, for hosts whose esxcli does not answer. */
export function datastoresOfSummary(value: VimValue): DatastoreRecord[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter(isObject).flatMap((summary) => {
    const name = pickString(summary, 'name');
    if (name === null) return [];
    const url = pickString(summary, 'url') ?? '';
    const accessible = pickBoolean(summary, 'accessible') !== false;
    return [
      {
        name,
        uuid: /\/vmfs\/volumes\/([^/]+)\/?$/.exec(url)?.[1] ?? null,
        type: pickString(summary, 'type'),
        capacity_bytes: accessible ? pickNumber(summary, 'capacity') : null,
        free_bytes: accessible ? pickNumber(summary, 'freeSpace') : null,
      },
    ];
  });
}

/** The datastores of ESXi's `df` (bytes), which names them by label; the last resort. */
export function datastoresOfDf(text: string, links: ReadonlyMap<string, string>): DatastoreRecord[] {
  const records: DatastoreRecord[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+\/vmfs\/volumes\/(.*\S)\s*$/.exec(line);
    const [, type = '', size, , free, volume = ''] = match ?? [];
    if (!match || !DATASTORE_TYPE.test(type)) continue;
    records.push({
      name: volume,
      uuid: links.get(volume) ?? volume,
      type,
      capacity_bytes: wholeNumber(size),
      free_bytes: wholeNumber(free),
    });
  }
  return records;
}

export function wholeNumber(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  return /^\d{1,16}$/.test(trimmed) ? Number(trimmed) : null;
}
