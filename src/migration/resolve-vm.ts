import type { VmRecord } from '../esxi/index.js';
import type { CloudFacts } from './cloud-facts.js';
import type { ResolvedVm } from './plan/document/describe.js';
import type { MappingOptions } from './plan/options.js';
import { resolveImages } from './plan/resolve-image.js';
import { resolvePorts } from './plan/resolve-ports.js';
import { resolveServer } from './plan/resolve-server.js';
import { resolveVolumes } from './plan/resolve-volumes.js';

/** Every choice for one VM, made by the same rules wherever it is asked for: `plan`, `check`, `guide`, `--dry-run`. */
export function resolveVm(
  vm: VmRecord,
  labels: readonly string[],
  options: MappingOptions,
  facts: CloudFacts,
  context: { host: string; now: Date },
): ResolvedVm {
  const disks = vm.disks.filter((disk) => labels.includes(disk.label));
  return {
    via: options.via ?? 'auto',
    images: resolveImages(vm, disks, options, { ...context, measured: facts.measured }),
    volumes: resolveVolumes(vm, disks, options, facts),
    ports: resolvePorts(vm, options, facts),
    server: resolveServer(vm, options, facts, { host: context.host, id: vm.id }),
    waitFor: options.waitFor,
  };
}
