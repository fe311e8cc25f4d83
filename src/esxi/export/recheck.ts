import { StackferryError, type Context } from '../../core/index.js';
import { DESCRIPTOR_HEAD, presentFile, readDescriptor } from './plan-link.js';
import type { ProbeFiles } from './remote-files.js';
import type { ExportPlan } from './types.js';

/**
 * Looks again, after the last byte: sizes, modification times and content ids of all files must be what they were when
 * the plan was made, else `vm.changed_during_copy`. The caller looks at the power state. A file that is locked, gone or
 * broken now counts as changed.
 */
export async function recheckSource(probe: ProbeFiles, plan: Pick<ExportPlan, 'disks'>, ctx: Context): Promise<void> {
  const files = plan.disks.flatMap((disk) =>
    disk.links.flatMap((link) => [
      { label: disk.label, path: link.remotePath, token: link.token, cid: link.descriptor.cid },
      ...link.extents.map((extent) => ({
        label: disk.label,
        path: extent.remotePath,
        token: extent.token,
        cid: null,
      })),
    ]),
  );
  const requests = files.map(({ path, cid }) => ({ path, headBytes: cid === null ? 0 : DESCRIPTOR_HEAD, lock: false }));
  const probes = await probe(requests, ctx);
  files.forEach(({ label, path, token, cid }, index) => {
    const changed = (why: string, cause?: unknown) =>
      new StackferryError('vm.changed_during_copy', `Disk ${label} changed while it was copied: ${path} ${why}.`, {
        hint: 'Keep the VM off and run it again: what changed is copied anew.',
        cause,
        details: { label, path },
      });
    try {
      const file = presentFile(probes[index], label, path);
      if (file.token !== token) throw changed(`was ${token} (bytes@time) and is ${file.token}`);
      if (cid === null) return;
      const now = readDescriptor(file, label, path).descriptor.cid;
      if (now !== cid) throw changed(`held content ${cid} and holds ${now}`);
    } catch (error) {
      if (!(error instanceof StackferryError) || !error.code.startsWith('disk.')) throw error;
      throw changed(`can no longer be read as it was (${error.message})`, error);
    }
  });
}
