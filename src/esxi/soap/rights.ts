import { vmRef } from './power.js';
import { readObject } from './properties.js';
import type { SoapSession } from './session.js';

/** What `ExportVm` demands (vSphere API reference, VirtualMachine.ExportVm). */
const EXPORT = 'VApp.Export';

/**
 * Whether the account may have a VM exported, by the roles that it has there; null where the host does not tell those. No
 * lease is taken to find out: while one is held, nobody can start the VM.
 */
export async function mayExport(session: SoapSession, id: string): Promise<boolean | null> {
  const { authorizationManager } = session.content;
  if (!authorizationManager) return null;
  const what = 'tell the rights of this account';
  const [vm, manager] = [
    await readObject(session, vmRef(id), ['effectiveRole'], what),
    await readObject(session, authorizationManager, ['roleList'], what),
  ];
  const own = new Set(vm.properties.get('effectiveRole')?.children.map(({ text }) => text.trim()));
  const roles = manager.properties.get('roleList')?.children ?? [];
  const mine = roles.filter((role) => own.has(role.child('roleId')?.text.trim() ?? ''));
  if (mine.length === 0) return null;
  return mine.some(({ children }) => children.some(({ name, text }) => name === 'privilege' && text.trim() === EXPORT));
}
