import { flavorStep, imageStep, portStep, serverStep, volumeStep } from './cloud-steps.js';
import { bootStep, cleanStep, guestStep } from './last-steps.js';
import { convertStep, copyStep, offStep, prepareStep } from './source-steps.js';
import type { GuideInput, GuideStep } from './types.js';

/** The guide of one VM: every step that `migrate` would do, as commands. Pure: the plan in, steps out. */
export function guideOf(input: GuideInput): GuideStep[] {
  const { server } = input;
  const cloud = input.images.flatMap((image) => {
    const disk = input.disks.find(({ label }) => label === image.label);
    return disk === undefined ? [] : [convertStep(disk, image.format)];
  });
  const made = server === null ? [] : serverSteps(input);
  return [
    prepareStep(input),
    offStep(input),
    ...input.disks.map((disk) => copyStep(input, disk)),
    ...cloud,
    ...input.images.map((image, index) => imageStep(image, index)),
    ...input.volumes.map((volume, index) => volumeStep(volume, index, input.images)),
    ...input.ports.map((port, index) => portStep(port, index)),
    ...made,
  ];
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
