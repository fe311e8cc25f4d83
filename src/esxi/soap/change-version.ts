import { node, one, readElement, text } from './reading.js';
import { vmRef } from './power.js';
import { readObject } from './properties.js';
import type { SoapSession } from './session.js';
import { badAnswer } from './xml.js';

const configSchema = node({ changeVersion: one(text) });

/**
 * A word that is another one as soon as the VM's configuration has changed (vSphere API, VirtualMachineConfigInfo). What
 * a run of the guest changes on the disks it does not tell; that the VM stayed off is seen by its power state, and while
 * a lease is held nobody can start it.
 */
export async function changeVersion(session: SoapSession, id: string): Promise<string> {
  const what = `tell the version of the configuration of VM ${id}`;
  const config = (await readObject(session, vmRef(id), ['config'], what)).properties.get('config');
  if (!config) throw badAnswer(`VM ${id} has no configuration`);
  return readElement(configSchema, config).changeVersion;
}
