import { StackferryError, isCode, type Context } from '../core/index.js';
import type { ReadRate } from './about.js';
import { fileDisks, type DiskDoor, type PlannedVm, type SourceDisk, type SourceDisks } from './disk-door.js';
import { totalsOf } from './export/index.js';
import { remotePath } from './export/paths.js';
import { FolderClient, FolderFiles } from './folder/index.js';
import type { DiskRecord } from './inventory/schema.js';
import { leasedDisk } from './nfc/index.js';
import { changeVersion } from './soap/change-version.js';
import type { SoapSession } from './soap/session.js';
import type { SoapTarget } from './soap/target.js';

/** Disks by the files of a host's datastores over HTTPS. Close it with the host. */
export interface FolderDisks extends DiskDoor {
  /** Reads up to so many MiB of a file (datastore form) on one connection, and tells how long it took. */
  readRate(path: string, mebibytes: number): Promise<ReadRate>;
  close(): void;
}

/** The host's datastore browser alone: account and password, and no session with its API. */
export function folderDisks(target: SoapTarget, ctx: Context): FolderDisks {
  const client = new FolderClient(target, ctx);
  const files = new FolderFiles(client, ctx);
  return {
    ...fileDisks((requests, own) => files.probe(requests, own), files, 'https'),
    readRate: (path, mebibytes) => files.readRate(remotePath(path), mebibytes),
    close: () => {
      client.close();
    },
  };
}

/**
 * Disks of a host whose API alone is open: from their files on the datastores, by ranges; where the account may not read
 * those, as the host streams them under a lease.
 */
export function apiDisks(session: SoapSession, target: SoapTarget, ctx: Context): FolderDisks {
  const files = folderDisks(target, ctx);
  const byLease = (vm: PlannedVm, disks: readonly DiskRecord[], own: Context, why: string) => {
    own.events.emit({
      kind: 'notice',
      message: `${why}; ${vm.name} is read as the host exports it (NFC), in one stream a disk.`,
    });
    return leasedDisks(session, target, vm, disks, own);
  };
  return {
    ...files,
    plan: async (vm, disks, own, options) => {
      if (options.door === 'nfc') return byLease(vm, disks, own, 'This run has begun so');
      try {
        return await files.plan(vm, disks, own, options);
      } catch (error) {
        // The session with the API is open, so the login is right: what is refused is the datastore browser.
        if (!isCode(error, 'esxi.no_permission') && !isCode(error, 'esxi.login_refused')) throw error;
        return byLease(vm, disks, own, 'The datastores may not be read over HTTPS');
      }
    },
  };
}

async function leasedDisks(
  session: SoapSession,
  target: SoapTarget,
  vm: PlannedVm,
  records: readonly DiskRecord[],
  ctx: Context,
): Promise<SourceDisks> {
  const version = await changeVersion(session, vm.id);
  const disks = records.map((record) => sourceDisk(session, target, vm, record, version));
  ctx.log.debug('disks under a lease', { vm: vm.id, version });
  return {
    disks,
    ...totalsOf(disks),
    door: 'nfc',
    recheck: async () => {
      if ((await changeVersion(session, vm.id)) === version) return;
      throw new StackferryError('vm.changed_during_copy', `${vm.name} was changed while its disks were read.`, {
        hint: 'Leave the VM alone, and run the same command again: what changed is read anew.',
      });
    },
  };
}

function sourceDisk(
  session: SoapSession,
  target: SoapTarget,
  vm: PlannedVm,
  record: DiskRecord,
  version: string,
): SourceDisk {
  const { label, capacity_bytes: capacityBytes, path } = record;
  if (capacityBytes === null || path === null) {
    throw new StackferryError('disk.missing', `The host does not say how large ${label} of ${vm.name} is.`, {
      hint: 'Look at the VM’s settings, or leave the disk out with --skip-disk.',
    });
  }
  const disk = leasedDisk(session, target, vm, { label, capacityBytes });
  return {
    label,
    kind: 'stream_optimized',
    capacityBytes,
    bytes: record.allocated_bytes ?? capacityBytes,
    allocatedBytes: record.allocated_bytes,
    chain: record.chain,
    tokens: [[path, version]],
    open: (ctx) =>
      Promise.resolve({
        notes: [`${path}: read whole, as the host exports it`],
        dataRanges: () => disk.dataRanges(),
        pieces: (wanted, read) => disk.pieces(wanted, ctx, read),
      }),
    copy: () =>
      Promise.reject(
        new StackferryError('esxi.no_files', `The files of ${label} of ${vm.name} cannot be read, only its content.`, {
          hint: 'Take an image of it (--disk-format raw or qcow2), or read it over SSH: --esxi-transport ssh.',
        }),
      ),
  };
}
