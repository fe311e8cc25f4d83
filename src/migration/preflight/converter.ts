import { formatBytes } from '../../core/index.js';
import { diskBytes, isStaged } from '../estimate/disk-bytes.js';
import { finding } from '../findings/finding.js';
import type { PreflightFinding, PreflightRule, PreflightVm } from './rule.js';

const here = (found: PreflightFinding['finding']): PreflightFinding => ({ place: 'converter', finding: found });

/** What disks are read as and written as. */
const FORMATS = ['vmdk', 'qcow2', 'raw'];

/** The programs of this machine. */
export const converterTools: PreflightRule = {
  codes: ['converter.no_qemu_img', 'converter.qemu_format', 'convert.failed'],
  find: ({ converter }) => {
    if (!converter) return [];
    const { qemuImg, formats, problems } = converter;
    // A qemu-img that lists nothing is an unknown one; whether it converts is seen when it does.
    const missing = formats.length === 0 ? [] : FORMATS.filter((format) => !formats.includes(format));
    return [
      ...problems.map(({ code, message, hint }) =>
        here(finding(code, 'blocker', 'converter', { message, remedy: hint })),
      ),
      ...(missing.length === 0
        ? []
        : [
            here(
              finding('converter.qemu_format', 'blocker', 'converter', {
                message: `qemu-img ${qemuImg ?? ''} of this machine does not know ${missing.join(', ')}.`,
                remedy:
                  'Install the whole package: Debian, Ubuntu: apt install qemu-utils. Fedora, RHEL: qemu-img and qemu-block-extra where there is one.',
              }),
            ),
          ]),
    ];
  },
};

/** What staging takes of those that are staged: VMs are moved one after another, and each leaves its space to the next. */
export function stagingNeed(vms: readonly PreflightVm[]): { bytes: number; vm: string | null } {
  const needs = vms.map(({ name, vm, labels }) => ({
    bytes: stagingOf(vm.disks.filter(({ label }) => labels.includes(label))),
    vm: name,
  }));
  return needs.reduce<{ bytes: number; vm: string | null }>((most, need) => (need.bytes > most.bytes ? need : most), {
    bytes: 0,
    vm: null,
  });
}

function stagingOf(disks: PreflightVm['vm']['disks']): number {
  const staged = isStaged(disks);
  return disks.reduce((sum, disk) => sum + diskBytes(disk, { isStaged: staged }).staging, 0);
}

/** Room for the copy of the largest VM and for what it is converted to. */
export const converterSpace: PreflightRule = {
  codes: ['converter.space', 'file.unwritable'],
  overridable: ['converter.space'],
  find: ({ converter, vms }) => {
    if (!converter) return [];
    const { dir, freeBytes, problem } = converter.staging;
    if (problem) {
      const text = { message: problem.message, remedy: problem.hint };
      return [here(finding(problem.code, 'blocker', 'converter', text))];
    }
    const { bytes, vm } = stagingNeed(vms);
    if (freeBytes === null || bytes <= freeBytes) return [];
    return [
      here(
        finding('converter.space', 'blocker', 'converter', {
          message: `${dir} has ${formatBytes(freeBytes)} free; the copy of ${vm ?? ''} and what it is converted to need about ${formatBytes(bytes)}.`,
          remedy: `Free ${formatBytes(bytes - freeBytes)} there, or set STACKFERRY_STATE_DIR to a folder on a larger disk.`,
        }),
      ),
    ];
  },
};
