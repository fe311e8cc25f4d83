import { StackferryError } from '../../core/index.js';
import { parseVmx } from '../parse/vmx.js';
import { DatastorePaths } from './paths.js';
import type { DiskRecord, VmRecord } from './schema.js';
import { draftOf, vmRecord, type VmDraft } from './vm-record.js';

/** What was found of a disk's files. */
export type FoundDisk = Pick<DiskRecord, 'path' | 'capacity_bytes' | 'allocated_bytes' | 'kind' | 'chain'>;

/** A VM out of a .vmx that no host tells of: a copy of its folder. */
export interface VmxMachine {
  /** Its hard disks in the contract's order. `fileName` as written; null: the configuration names none. */
  readonly disks: readonly { label: string; fileName: string | null }[];
  /** The record of it, once its disks were looked at: as the inventory of a host has it while it is off. */
  record(found: ReadonlyMap<string, FoundDisk>): VmRecord;
}

/**
 * Reads a .vmx by itself.
 * @param where its path or URL, for messages and as `vmx_path`
 * @throws StackferryError `esxi.bad_vmx`
 */
export function readVmxMachine(bytes: Buffer, of: { id: string; where: string }): VmxMachine {
  const listed = { id: of.id, name: of.where, vmxPath: of.where, guestId: null, version: null, annotation: '' };
  const vmx = { path: of.where, vmx: parseVmx(bytes) };
  const source = { listed, summary: { state: 'unknown' as const }, guest: null, devices: null, snapshots: null, vmx };
  const draft = draftOf(source, false);
  if ('skip' in draft) throw new StackferryError('esxi.bad_vmx', `${of.where}: ${draft.skip}`);
  return {
    disks: draft.disks.map(({ label, fileName }) => ({ label, fileName })),
    record: (found) => recordOf(draft, of.where, found),
  };
}

function recordOf(draft: VmDraft, where: string, found: ReadonlyMap<string, FoundDisk>): VmRecord {
  const results = draft.disks.map(({ label, controller, mode, shared }) => {
    const seen = found.get(label) ?? {
      path: null,
      capacity_bytes: null,
      allocated_bytes: null,
      kind: null,
      chain: [],
    };
    const record = { label, controller: controller ?? 'lsilogic', mode, shared, ...seen };
    return { record, problems: [], datastore: null, raw: null, encrypted: false };
  });
  const paths = new DatastorePaths([], new Map());
  const record = vmRecord(draft, results, { paths, networks: [], promiscuous: new Set() });
  return {
    ...record,
    vmx_path: where,
    // Without the key there is none, which a host tells as an empty one.
    annotation: record.annotation ?? '',
    power_state: 'off',
    // It lies on no datastore, so no disk lies on another one.
    facts: { ...record.facts, vmxDatastore: null, diskDatastores: {} },
  };
}
