import type { Context } from '../../core/index.js';
import { isFaultNamed } from './fault.js';
import { vmRef } from './power.js';
import type { SoapSession } from './session.js';
import { runTask } from './task.js';
import { badAnswer, xml } from './xml.js';

/** Consolidating what a busy VM wrote since can take long. */
const SNAPSHOT_MS = 60 * 60_000;

export interface SnapshotWish {
  name: string;
  description: string;
  /** Has Tools bring the file systems to rest first; fails where they cannot. */
  quiesce: boolean;
}

/** Takes a snapshot without the memory and gives its id. Throws `host.free_license` where the licence forbids it. */
export async function createSnapshot(
  session: SoapSession,
  ctx: Context,
  id: string,
  { name, description, quiesce }: SnapshotWish,
): Promise<string> {
  const parameters = [
    xml('name', name),
    xml('description', description),
    xml('memory', 'false'),
    xml('quiesce', String(quiesce)),
  ];
  const what = `take a snapshot of VM ${id}`;
  const call = { method: 'CreateSnapshot_Task', on: vmRef(id), parameters, what };
  const { made } = await runTask(session, ctx, call, SNAPSHOT_MS);
  if (!made) throw badAnswer('the task that took the snapshot does not name it');
  return made.id;
}

/** Removes this one snapshot, those below it stay. One that is gone already is as wanted. */
export async function removeSnapshot(session: SoapSession, ctx: Context, snapshot: string): Promise<void> {
  const call = {
    method: 'RemoveSnapshot_Task',
    on: { type: 'VirtualMachineSnapshot', id: snapshot },
    parameters: [xml('removeChildren', 'false')],
    what: `remove the snapshot ${snapshot}`,
  };
  try {
    await runTask(session, ctx, call, SNAPSHOT_MS);
  } catch (error) {
    if (!isFaultNamed(error, 'ManagedObjectNotFound')) throw error;
  }
}
