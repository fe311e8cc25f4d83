import { flavorObjections, type Flavor } from '../../openstack/index.js';
import { finding, type Finding } from '../findings/finding.js';
import { architectureOf } from '../plan/resolve-image.js';
import { cloudRule, ofVm, type PreflightVm } from './rule.js';

/** The flavor that was chosen or named: whether the server can be made with it, and gets what the VM had. */
export const flavor = cloudRule({
  codes: ['cloud.no_flavor', 'cloud.small_flavor', 'cloud.special_flavor', 'cloud.volume_too_small'],
  find: ({ flavors }, vms) =>
    vms.flatMap((item) => {
      const { server, hasFlavor } = item;
      const chosen = flavors.find(({ id }) => id === server?.flavor_id);
      return [...(chosen && hasFlavor ? judge(item, chosen) : []), ...images(item, chosen)].map((found) =>
        ofVm(item, found),
      );
    }),
});

const CHOOSE = 'Name another one with --flavor NAME, or leave it out: the smallest that fits is chosen.';

function judge({ vm }: PreflightVm, chosen: Flavor): Finding[] {
  const need = { vcpus: vm.cpus ?? 0, ramMib: vm.memory_mib ?? 0, architecture: architectureOf(vm.guest_id) } as const;
  const all = flavorObjections(chosen, need);
  const texts = (...kinds: (typeof all)[number]['kind'][]) =>
    all.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
  const impossible = texts('disabled', 'architecture', 'bare_metal');
  const small = texts('small');
  const special = texts('special');
  return [
    ...(impossible.length === 0
      ? []
      : [
          finding('cloud.no_flavor', 'blocker', 'vm', {
            message: `Flavor ${chosen.name} cannot carry the server: ${impossible.join('; ')}.`,
            remedy: CHOOSE,
          }),
        ]),
    ...(small.length === 0
      ? []
      : [
          finding('cloud.small_flavor', 'warning', 'vm', {
            message: `Flavor ${chosen.name} gives the server less than the VM has: ${small.join('; ')}.`,
            remedy: CHOOSE,
          }),
        ]),
    ...(special.length === 0
      ? []
      : [
          finding('cloud.special_flavor', 'warning', 'vm', {
            message: `Flavor ${chosen.name} is of a special kind: ${special.join('; ')}. It may cost more, or find no free host.`,
            remedy: CHOOSE,
          }),
        ]),
  ];
}

/** What the images demand (`min_ram`, `min_disk`): Nova and Cinder refuse what is smaller. */
function images({ images: all, volumes, server }: PreflightVm, chosen: Flavor | undefined): Finding[] {
  return all.flatMap(({ label, min_disk_gib, properties }) => {
    const volume = volumes.find((item) => item.label === label);
    const ram = chosen?.ram ?? server?.create_flavor?.ram_mib;
    const minRam = Number(properties['min_ram'] ?? 0);
    return [
      ...(volume && volume.size_gib < min_disk_gib
        ? [
            finding('cloud.volume_too_small', 'blocker', label, {
              message: `Its volume gets ${volume.size_gib} GiB, and its image demands ${min_disk_gib} GiB (min_disk).`,
              remedy: `In the plan, set size_gib of the volume to ${min_disk_gib}, or lower min_disk_gib of the image.`,
            }),
          ]
        : []),
      ...(ram !== undefined && ram < minRam
        ? [
            finding('cloud.no_flavor', 'blocker', label, {
              message: `Its image demands ${minRam} MiB of RAM (min_ram); the flavor has ${ram} MiB.`,
              remedy: `Lower the property min_ram of the image, or take a larger flavor: --flavor NAME`,
            }),
          ]
        : []),
    ];
  });
}
