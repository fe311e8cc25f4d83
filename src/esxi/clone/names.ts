/**
 * Names of what is made on a host to copy a running VM: a snapshot and a folder, both `stackferry-RUN-N`, N counting
 * the snapshots of the run. By the name and by what is in it a later program knows it for ours.
 */

const NAME = /^stackferry-(r[0-9a-z]{7})-[1-9]\d{0,3}$/;
/** What `vmkfstools -i` makes in the folder; while it writes, NFS datastores hold its lock beside it. */
const FILE = /^(?:(?:ide|scsi|sata|nvme)\d+-\d+(?:-flat)?\.vmdk|\.lck-[0-9a-f]{16})$/;

/** Description of a snapshot of ours. */
export const SNAPSHOT_DESCRIPTION = 'Made by stackferry to copy this VM while it runs; removed when the copy is made.';

/** Taking a snapshot is a matter of seconds, merging one of minutes; of a large delta it may be an hour. */
export const SNAPSHOT_TIMEOUT_MS = 3_600_000;

export function hostName(run: string, turn: number): string {
  return `stackferry-${run}-${turn}`;
}

/** The run that made what bears this name; null where it is not ours. */
export function runOfName(name: string): string | null {
  return NAME.exec(name)?.[1] ?? null;
}

/** The descriptor of a disk's clone: `scsi0:0` is `scsi0-0.vmdk`. */
export function cloneFile(label: string): string {
  return `${label.replace(':', '-')}.vmdk`;
}

/** Whether a file may lie in a folder of ours. */
export function isCloneFile(name: string): boolean {
  return FILE.test(name);
}

/** A path on the host, the same for the clones of all tries of a run. */
export function withoutTurn(path: string): string {
  return path.replace(/\/(stackferry-r[0-9a-z]{7})-\d+\//, '/$1/');
}
