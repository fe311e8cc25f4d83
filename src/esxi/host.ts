import type { Context } from '../core/index.js';
import { type ReadRate, type ShellTimeouts, measureReadRate, readAbout, readShellTimeouts } from './about.js';
import { shellDisks, type DiskDoor } from './disk-door.js';
import { readInventory } from './inventory/read.js';
import type { HostRecord, Inventory } from './inventory/schema.js';
import { powerOff, powerState, shutdownGuest } from './power.js';
import type { PowerState } from './power-state.js';
import { openShell } from './ssh/index.js';
import type { RemoteShell } from './ssh/shell.js';
import type { SshFacts, SshTarget } from './ssh/target.js';

/** What can be asked of a host and what can be told to it. */
export interface EsxiHost {
  /** `root@esx1:22`, for messages. */
  readonly name: string;
  readonly shell: RemoteShell;
  readonly disks: DiskDoor;
  /** How the connection came about; null behind a shell that does not tell. */
  readonly ssh: SshFacts | null;
  /** Product, version, hardware uuid and licence edition; fields the host does not tell are null. */
  about(): Promise<HostRecord>;
  /**
   * Reads the host's VMs, datastores and networks. With `only` (selectors as of `--vm`) the costly reads are made for
   * the VMs that fit and for those that bear the same name; the others are left out.
   */
  inventory(options?: InventoryOptions): Promise<Inventory>;
  powerState(id: string): Promise<PowerState>;
  /** Asks the guest's Tools to shut down and returns at once. Throws `vm.tools_missing` where they do not run. */
  shutdownGuest(id: string): Promise<void>;
  /** Pulls the plug. A VM that is off already is left alone. */
  powerOff(id: string): Promise<void>;
  /** Seconds after which the host ends SSH or idle shells; 0 means never, null not known. */
  shellTimeouts(): Promise<ShellTimeouts>;
  /** Reads up to so many MiB of a file (datastore form) and tells how long it took. */
  readRate(path: string, mebibytes: number): Promise<ReadRate>;
  close(): Promise<void>;
}

export interface InventoryOptions {
  only?: string[];
}

/** Connects and authenticates; what the SSH door throws is in src/esxi/ssh. */
export async function openHost(target: SshTarget, ctx: Context): Promise<EsxiHost> {
  const shell = await openShell(target, ctx);
  return hostOver(shell, ctx, shell.facts);
}

/** A host behind a shell that is open already. */
export function hostOver(shell: RemoteShell, ctx: Context, ssh: SshFacts | null = null): EsxiHost {
  return {
    name: shell.name,
    shell,
    disks: shellDisks(shell),
    ssh,
    about: () => readAbout(shell),
    inventory: (options = {}) => readInventory(shell, ctx, options),
    powerState: (id) => powerState(shell, id),
    shutdownGuest: (id) => shutdownGuest(shell, id),
    powerOff: (id) => powerOff(shell, id),
    shellTimeouts: () => readShellTimeouts(shell),
    readRate: (path, mebibytes) => measureReadRate(shell, path, mebibytes),
    close: () => shell.close(),
  };
}
