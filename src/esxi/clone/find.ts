import { StackferryError, type Context } from '../../core/index.js';
import type { DatastoreRecord, VmRecord } from '../inventory/schema.js';
import { sh, type RemoteShell } from '../ssh/index.js';
import { SNAPSHOT_DESCRIPTION, runOfName } from './names.js';
import { readSnapshots, type VmName } from './snapshot.js';

/** Something of ours on a host, by its name. */
export type HostLeftover =
  | { kind: 'snapshot'; run: string; name: string; vm: VmName }
  /** `name` in datastore form. */
  | { kind: 'clone'; run: string; name: string };

/** Looks for snapshots and folders with our names. A snapshot of such a name that says something else is not ours. */
export async function findLeftovers(
  shell: RemoteShell,
  ctx: Context,
  { vms, datastores }: { vms: readonly VmRecord[]; datastores: readonly DatastoreRecord[] },
): Promise<HostLeftover[]> {
  const found: HostLeftover[] = [];
  for (const { id, name: vmName } of vms.filter(({ snapshots }) => snapshots > 0)) {
    const vm = { id, name: vmName };
    for (const { name, description } of await readSnapshots(shell, ctx, vm)) {
      const run = runOfName(name);
      if (run !== null && description === SNAPSHOT_DESCRIPTION) found.push({ kind: 'snapshot', run, name, vm });
    }
  }
  for (const store of datastores) {
    for (const name of await foldersOn(shell, ctx, store)) {
      const run = runOfName(name);
      if (run !== null) found.push({ kind: 'clone', run, name: `[${store.name}] ${name}` });
    }
  }
  return found;
}

async function foldersOn(shell: RemoteShell, ctx: Context, { name, uuid }: DatastoreRecord): Promise<string[]> {
  const root = `/vmfs/volumes/${uuid ?? name}`;
  const script = sh`cd ${root} && for f in stackferry-*; do [ ! -d "$f" ] || [ -L "$f" ] || printf '%s\n' "$f"; done`;
  const { exitCode, stdout, stderr } = await shell.run(script, { signal: ctx.signal });
  if (exitCode === 0) return stdout.toString('utf8').split('\n');
  throw new StackferryError('esxi.read_failed', `The datastore ${name} cannot be looked at: ${stderr.trim()}`, {
    hint: 'Is it mounted? Look at it on the host: esxcli storage filesystem list',
  });
}
