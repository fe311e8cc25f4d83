import { UsageError } from '../../core/index.js';
import { selectVms, type EsxiHost, type VmRecord } from '../../esxi/index.js';
import type { MigrateRequest } from '../migrate.js';
import { migrateEach, type PlanEnd } from '../migrate-plan.js';
import type { SessionBase } from '../session.js';
import { STDIN, packageName, type PackageAddress } from './address.js';

interface ImportRequest extends Pick<MigrateRequest, 'options' | 'confirm' | 'accept' | 'again'> {
  files: PackageAddress;
  /** Selectors of `--vm`: only these VMs of the files; all where it is empty. */
  only: readonly string[];
  skipDisks?: string[];
}

/**
 * The VMs of a package that are meant, each as a request of its own.
 * @throws UsageError where options for one VM would count for several
 */
export async function importRequests(
  host: EsxiHost,
  request: ImportRequest,
): Promise<{ planned: { vm: VmRecord }; one: MigrateRequest }[]> {
  const { files, only, options, skipDisks } = request;
  const inventory = await host.inventory();
  const vms = only.length === 0 ? inventory.vms : selectVms(inventory, only);
  const unsized = options.flavor === undefined && vms.find((vm) => vm.cpus === null || vm.memory_mib === null);
  if (unsized) {
    throw new UsageError(
      `${packageName(files)} is a bare disk, which does not say what its VM is like.`,
      'Say it: --cpus N --memory MIB (or --flavor NAME), and --firmware efi where it boots so.',
    );
  }
  const isStream = files.given.includes(STDIN);
  if (vms.length > 1) refuseSeveral(vms, isStream, request);
  const address = { host: packageName(files), port: 0, user: '', package: files };
  // Of a stream nobody knows beforehand where zeros are: a qcow2 of it would hold all of them, too.
  const own = isStream ? { imageFormat: 'raw' as const, ...options } : options;
  return vms.map((vm) => ({
    planned: { vm },
    one: {
      source: { selector: `id:${vm.id}`, address, ...(skipDisks === undefined ? {} : { skipDisks }) },
      options: own,
      confirm: request.confirm,
      again: request.again,
      ...(request.accept === undefined ? {} : { accept: request.accept }),
    },
  }));
}

function refuseSeveral(vms: readonly VmRecord[], isStream: boolean, { options, skipDisks }: ImportRequest): void {
  const names = vms.map(({ name }) => name).join(', ');
  const given = options.name === undefined ? skipDisks && '--skip-disk' : '--name';
  if (given !== undefined) {
    throw new UsageError(`${given} is for one VM, and these are ${vms.length}: ${names}.`, 'Name one with --vm NAME.');
  }
  if (!isStream) return;
  throw new UsageError(
    `The stream holds ${vms.length} VMs (${names}), and passes by once.`,
    'Name one with --vm NAME, or put it into a file.',
  );
}

/** Imports the VMs of a package one after another; one that fails does not stop the others. */
export async function importVms(base: SessionBase, host: EsxiHost, request: ImportRequest): Promise<PlanEnd[]> {
  return migrateEach(base, await importRequests(host, request));
}
