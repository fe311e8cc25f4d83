import { flavorStep, imageStep, portStep, serverStep } from './cloud-steps.js';
import { bootStep, cleanStep, guestStep } from './last-steps.js';
import { convertStep, copyStep, offStep, prepareStep } from './source-steps.js';
import type { GuideInput, GuideStep } from './types.js';
import { dataStep, volumeStep } from './volume-steps.js';

/** The guide of one VM: every step that `migrate` would do, as commands. Pure: the plan in, steps out. */
export function guideOf(input: GuideInput): GuideStep[] {
  const { server } = input;
  const made = server === null ? [] : serverSteps(input);
  return [
    prepareStep(input),
    offStep(input),
    ...input.disks.map((disk) => copyStep(input, disk)),
    ...(input.via === 'cinder' ? writtenVolumes(input) : volumesOfImages(input)),
    ...input.ports.map((port, index) => portStep(port, index)),
    ...made,
  ];
}

function volumesOfImages(input: GuideInput): GuideStep[] {
  const converted = input.images.flatMap((image) => {
    const disk = input.disks.find(({ label }) => label === image.label);
    return disk === undefined ? [] : [convertStep(disk, image.format)];
  });
  return [
    ...converted,
    ...input.images.map((image, index) => imageStep(image, index)),
    ...input.volumes.map((volume, index) => volumeStep(volume, index, input.images)),
  ];
}

function writtenVolumes(input: GuideInput): GuideStep[] {
  return input.volumes.flatMap((volume, index) => {
    const of = ({ label }: { label: string }) => label === volume.label;
    const disk = input.disks.find(of);
    if (disk === undefined) return [];
    return [volumeStep(volume, index, null), dataStep(volume, index, disk, input.images.find(of))];
  });
}

function serverSteps(input: GuideInput): GuideStep[] {
  const { server } = input;
  if (server === null) return [];
  const boot = bootStep(input, server);
  const steps = [...flavorStep(server, input), serverStep(input, server), ...(boot === null ? [] : [boot])];
  // --no-start: Nova starts whatever it makes, so the server is left for later.
  const when = server.start ? steps : steps.map((step): GuideStep => ({ ...step, later: true }));
  return [...when, guestStep(input), cleanStep(input)];
}
