import { InterruptedError, StackferryError } from '../core/index.js';
import type { DatastoreRecord, EsxiHost, Inventory } from '../esxi/index.js';
import type { Problem } from './converter-facts.js';

/** The host itself, as far as a migration depends on it. */
export interface HostFacts {
  /** The edition key; null where the host does not say. */
  license: string | null;
  /** Seconds after which the host ends SSH; 0 never, null not known. */
  shellSeconds: number | null;
  /** What was negotiated; null where it was not told. */
  ssh: { cipher: string; keyExchange: string } | null;
  datastores: readonly DatastoreRecord[];
  /** Whole days since the saved inventory was read that was looked at; unset where the host was, or nobody knows. */
  savedDays?: number;
  /** Why it could not be read; then the rest is unknown. */
  problem: Problem | null;
}

/** Looks at the host; `inventory` was read of it before. */
export async function readHostFacts(host: EsxiHost, inventory: Inventory): Promise<HostFacts> {
  const timeouts = await host.shellTimeouts().catch((error: unknown) => {
    // What it does not tell is not known: that alone stops nothing.
    if (error instanceof StackferryError && !(error instanceof InterruptedError)) return { shellSeconds: null };
    throw error;
  });
  return {
    license: inventory.host.license,
    shellSeconds: timeouts.shellSeconds,
    ssh: host.ssh,
    datastores: inventory.datastores,
    problem: null,
  };
}

/** The facts of a host that could not be read. */
export function unreadHost(error: StackferryError): HostFacts {
  const code = error.code === 'esxi.legacy_algorithms' ? 'host.legacy_algorithms' : error.code;
  const problem = { code, message: error.message, hint: error.hint ?? '' };
  return { license: null, shellSeconds: null, ssh: null, datastores: [], problem };
}

/** Whether an edition key is of the free licence, whose API refuses changes. */
export function isFreeLicense(license: string): boolean {
  return license === 'esxBasic' || /free/i.test(license);
}

export const KEEP_SSH = 'To lift it: esxcli system settings advanced set -o /UserVars/ESXiShellTimeOut -i 0';
