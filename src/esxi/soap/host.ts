import { type Context, type Secret, StackferryError } from '../../core/index.js';
import type { ShellTimeouts } from '../about.js';
import { apiDisks } from '../api-disks.js';
import type { EsxiHost } from '../host.js';
import { pickString } from '../parse/vim-object.js';
import { managerOf, readHostRecord, readHosts } from './about.js';
import { isFaultNamed } from './fault.js';
import { readApiInventory } from './inventory.js';
import { powerOff, powerOn, powerState, shutdownGuest } from './power.js';
import { mayExport } from './rights.js';
import { SoapSession } from './session.js';
import { createSnapshot, removeSnapshot, type SnapshotWish } from './snapshot.js';
import type { SoapTarget } from './target.js';
import { vimValue } from './values.js';
import { xml } from './xml.js';

/** A host behind its API, which can some things that its shell is not asked for. */
export interface ApiHost extends EsxiHost {
  powerOn(id: string): Promise<void>;
  createSnapshot(id: string, wish: SnapshotWish): Promise<string>;
  removeSnapshot(snapshot: string): Promise<void>;
  /** Whether this account may have the VM exported under a lease; null where the host does not tell. Takes none. */
  mayExport(id: string): Promise<boolean | null>;
}

/** Logs in; what that throws is told at {@link SoapSession.open}. */
export async function openApiHost(target: SoapTarget, ctx: Context): Promise<ApiHost> {
  let asked: Promise<Secret> | undefined;
  // One question for the session and for the datastores.
  const own = { ...target, password: () => (asked ??= target.password()) };
  const session = await SoapSession.open(own, ctx);
  const disks = apiDisks(session, own, ctx);
  return {
    name: session.name,
    get shell(): never {
      throw noShell(session.name);
    },
    disks,
    ssh: null,
    about: async () => readHostRecord(session, await readHosts(session)),
    inventory: (options = {}) => readApiInventory(session, ctx, options),
    powerState: (id) => powerState(session, id),
    shutdownGuest: (id) => shutdownGuest(session, id),
    powerOff: (id) => powerOff(session, ctx, id),
    powerOn: (id) => powerOn(session, ctx, id),
    createSnapshot: (id, wish) => createSnapshot(session, ctx, id, wish),
    removeSnapshot: (snapshot) => removeSnapshot(session, ctx, snapshot),
    mayExport: (id) => mayExport(session, id),
    shellTimeouts: () => readShellTimeouts(session),
    readRate: (path, mebibytes) => disks.readRate(path, mebibytes),
    close: async () => {
      disks.close();
      await session.close();
    },
  };
}

function noShell(name: string): StackferryError {
  return new StackferryError('host.no_ssh', `${name} is the API, and this goes by the shell of the host.`, {
    hint: 'Leave out --esxi-transport https (STACKFERRY_ESXI_TRANSPORT), or say ssh: guides/transports.md.',
    exitCode: 2,
  });
}

/** The advanced settings of the shell service; null where the host or the account knows none of them. */
async function readShellTimeouts(session: SoapSession): Promise<ShellTimeouts> {
  const [host] = await readHosts(session);
  const options = host ? managerOf(host, 'advancedOption') : null;
  const seconds = async (name: string) => {
    if (!options) return null;
    try {
      const call = { method: 'QueryOptions', on: options, what: `tell the setting ${name}` };
      const answer = (await session.read({ ...call, parameters: [xml('name', name)] })).child('returnval');
      const value = answer ? pickString(vimValue(answer), 'value') : null;
      return value !== null && /^\d+$/.test(value) ? Number(value) : null;
    } catch (error) {
      if (isFaultNamed(error, 'InvalidName') || isFaultNamed(error, 'NoPermission')) return null;
      throw error;
    }
  };
  return {
    shellSeconds: await seconds('UserVars.ESXiShellTimeOut'),
    interactiveSeconds: await seconds('UserVars.ESXiShellInteractiveTimeOut'),
  };
}
