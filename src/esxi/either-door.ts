import {
  MIB,
  StackferryError,
  formatBytes,
  formatRate,
  formatSeconds,
  messageOf,
  throwIfAborted,
  type Context,
} from '../core/index.js';
import type { ReadRate } from './about.js';
import type { FolderDisks } from './api-disks.js';
import type { DiskDoor, SourceDisks } from './disk-door.js';
import type { EsxiHost } from './host.js';
import type { DiskRecord } from './inventory/schema.js';

/** How each door of a host is opened; nothing is tried before it is called. */
export interface HostDoors {
  ssh: () => Promise<EsxiHost>;
  /** The API in the place of SSH. */
  api: () => Promise<EsxiHost>;
  /** Files over HTTPS beside SSH; null where that cannot be had without asking anybody or trusting blindly. */
  files: () => Promise<FolderDisks | null>;
}

/** What says that SSH is closed to us, and not that something is wrong with the peer. */
const CLOSED = ['host.no_ssh', 'esxi.unreachable', 'esxi.login_refused', 'esxi.exec_refused'];

/** So much is read through each door to time it. */
const SAMPLE_MIB = 8;
/** Less than this is read before a measurement would have paid. */
const WORTH_BYTES = 64 * MIB;
/** Another door must be so many times as fast: the times of some MiB vary, and SSH has more connections to gain by. */
const MARGIN = 1.3;

/**
 * Opens the host by SSH, and its API where SSH is closed. With SSH open, disks are read over HTTPS where that was seen to
 * be quicker; all else goes by SSH. Which door and why is told in one notice.
 * @param isClosed further codes that count as a closed SSH
 * @throws StackferryError what SSH said, where neither opens
 */
export async function openEitherDoor(
  doors: HostDoors,
  ctx: Context,
  isClosed: readonly string[] = [],
): Promise<EsxiHost> {
  let host: EsxiHost;
  try {
    host = await doors.ssh();
  } catch (error) {
    if (!(error instanceof StackferryError) || ![...CLOSED, ...isClosed].includes(error.code)) throw error;
    return overApi(doors, ctx, error);
  }
  let files: Promise<FolderDisks | null> | undefined;
  return {
    ...host,
    disks: quickerDisks(host, () => (files ??= doors.files()), ctx),
    close: async () => {
      (await files?.catch(() => null))?.close();
      await host.close();
    },
  };
}

async function overApi(doors: HostDoors, ctx: Context, closed: StackferryError): Promise<EsxiHost> {
  let host: EsxiHost;
  try {
    host = await doors.api();
  } catch (error) {
    throwIfAborted(ctx.signal);
    ctx.log.debug('the API is no way in either', { error: messageOf(error) });
    if (!(error instanceof StackferryError)) throw error;
    if (error.code === 'esxi.unreachable') throw closed;
    const { code, message, exitCode, details } = closed;
    throw new StackferryError(code, message, {
      hint: `${closed.hint ?? ''} Its API was tried, too: ${error.message}`.trim(),
      exitCode,
      details,
      cause: closed,
    });
  }
  ctx.events.emit({ kind: 'notice', message: `${host.name} is read by its API (https): ${closed.message}` });
  return host;
}

/** Disks by SSH or over HTTPS. What SSH sees of the files is looked at in any case: locks, sizes, what holds data. */
function quickerDisks(host: EsxiHost, openFiles: () => Promise<FolderDisks | null>, ctx: Context): DiskDoor {
  let rates: Promise<Rates | null> | undefined;
  return {
    plan: async (vm, records, own, options) => {
      const bySsh = await host.disks.plan(vm, records, own, options);
      if (options.door === 'ssh' || options.door === 'nfc') return bySsh;
      try {
        const files = await openFiles();
        if (!files) return bySsh;
        if (options.door !== 'https') {
          if ((bySsh.allocatedBytes ?? bySsh.bytes) < WORTH_BYTES) return bySsh;
          const measured = await (rates ??= measure(host, files, records));
          if (!measured) return bySsh;
          const { isHttps, why } = choose(bySsh, measured);
          own.events.emit({ kind: 'notice', message: `${vm.name} is read ${why}` });
          if (!isHttps) return bySsh;
        }
        return await files.plan(vm, records, own, options);
      } catch (error) {
        throwIfAborted(own.signal);
        ctx.log.debug('not read over HTTPS', { vm: vm.name, error: messageOf(error) });
        return bySsh;
      }
    },
  };
}

interface Rates {
  /** Bytes a second on one connection. */
  ssh: number;
  https: number;
}

/** Null where there is no plain disk to time, or it is too small. HTTPS goes first: what it reads may be quicker to read again. */
async function measure(host: EsxiHost, files: FolderDisks, records: readonly DiskRecord[]): Promise<Rates | null> {
  const path = records.map(flatFile).find((one) => one !== null);
  if (path === undefined) return null;
  const [https, ssh] = [await files.readRate(path, SAMPLE_MIB), await host.readRate(path, SAMPLE_MIB)];
  if (Math.min(https.bytes, ssh.bytes) < MIB) return null;
  return { https: rateOf(https), ssh: rateOf(ssh) };
}

function rateOf({ bytes, seconds }: ReadRate): number {
  return bytes / Math.max(seconds, 0.001);
}

/** The flat file of a plain disk, in datastore form; null for any other disk. */
export function flatFile({ kind, chain, path }: Pick<DiskRecord, 'kind' | 'chain' | 'path'>): string | null {
  return kind === 'flat' && chain.length === 1 ? (path?.replace(/\.vmdk$/i, '-flat.vmdk') ?? null) : null;
}

/** By SSH only what is held is read, where the host tells that; over HTTPS all of the files is. */
function choose(plan: SourceDisks, rates: Rates): { isHttps: boolean; why: string } {
  const held = plan.allocatedBytes ?? plan.bytes;
  const [ssh, https] = [held / rates.ssh, plan.bytes / rates.https];
  const isHttps = https * MARGIN < ssh;
  const words = {
    ssh: `over SSH (${formatRate(rates.ssh)} for ${formatBytes(held)}, about ${formatSeconds(ssh)}`,
    https: `over HTTPS (${formatRate(rates.https)} for ${formatBytes(plan.bytes)}, about ${formatSeconds(https)}`,
  };
  const [taken, other] = isHttps ? [words.https, words.ssh] : [words.ssh, words.https];
  return { isHttps, why: `${taken}), not ${other}): measured on one connection each.` };
}
