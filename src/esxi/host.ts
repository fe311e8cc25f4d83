import type { HostRecord, Inventory } from './inventory/schema.js';
import type { RemoteShell } from './ssh/shell.js';

/** What can be asked of a host and what can be told to it. */
export interface EsxiHost {
  /** `root@esx1:22`, for messages. */
  readonly name: string;
  readonly shell: RemoteShell;
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

export type PowerState = 'on' | 'off' | 'suspended';

export interface ShellTimeouts {
  shellSeconds: number | null;
  interactiveSeconds: number | null;
}

export interface ReadRate {
  bytes: number;
  seconds: number;
}
