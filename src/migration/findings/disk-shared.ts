import { finding, type FindingRule } from './finding.js';

/** A disk that several VMs write to. It stands still only when all of them are off. */
export const diskShared: FindingRule = {
  codes: ['disk.shared'],
  explains: {
    'disk.shared': {
      title: 'several VMs write to the disk',
      severity: 'warning, blocker while another of them runs',
      explains: 'Multi-writer, or a shared bus: it stands still only when all of them are off.',
      remedy:
        'Copy it with one VM, `--skip-disk LABEL` with the others; a volume type with `multiattach="<is> True"` shares it again.',
    },
  },
  advice: { 'disk.shared': 'shut down the VMs that share its disk' },
  find: (vm, host) =>
    vm.disks
      .filter(({ shared }) => shared)
      .map(({ label, path }) => {
        const others = host.vms.filter(
          (other) => other.id !== vm.id && path !== null && other.disks.some((disk) => disk.path === path),
        );
        const running = others.filter(({ power_state }) => power_state === 'on');
        const names = (vms: typeof others) => vms.map(({ name, id }) => `${name} (id:${id})`).join(', ');
        const users = others.length === 0 ? '' : ` Other VMs that use it: ${names(others)}.`;
        const stop = running.length === 0 ? '' : `Shut these down first, they may write to it: ${names(running)}. `;
        return finding('disk.shared', running.length === 0 ? 'warning' : 'blocker', label, {
          message: `It is shared with other VMs (multi-writer or a shared bus).${users}`,
          remedy: `${stop}Copy it with one VM and leave it out of the others (--skip-disk ${label}). To share the volume it needs a volume type with multiattach="<is> True": --volume-type TYPE, then openstack server add volume SERVER VOLUME.`,
        });
      }),
};
