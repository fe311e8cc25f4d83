import { section, type RunContext, type Step } from './step.js';
import { bootStep } from './boot.js';
import { cloneStep, releaseStep } from './clones.js';
import { convertStep } from './convert.js';
import { diskFileStep } from './disk-file.js';
import { exportStep } from './export.js';
import { flavorStep } from './flavor.js';
import { imageStep } from './image.js';
import { portStep } from './port.js';
import { serverStep } from './server.js';
import { runningOf } from './running.js';
import { recheckStep, sourceStep } from './source.js';
import { readerOf, transferOf } from './transfer.js';
import { volumeStep } from './volume.js';
import { dataStep } from './volume-data.js';

/** The phases of a run, as the step commands name them. */
export const phases = ['export', 'convert', 'upload', 'volume', 'server'] as const;
export type Phase = (typeof phases)[number];

/**
 * The steps of a run in order, as far as its plan is resolved. The runner, the step commands, `--dry-run` and
 * `rollback` are all readers of this list.
 */
export function listSteps(state: RunContext['state'], only: readonly Phase[] = phases): Step[] {
  const wants = (phase: Phase) => only.includes(phase);
  const source = section(state, 'source');
  const server = section(state, 'server');
  const steps: Step[] = [];
  const transfer = transferOf(state);
  const isDirect = transfer === 'direct';
  const isAttached = transfer === 'attached';
  if (source && isDirect && wants('upload')) steps.push(sourceStep(state));
  if (source && transfer === 'file' && wants('export')) {
    const images = section(state, 'images') ?? [];
    steps.push(
      ...aroundSource(
        state,
        images.map(({ label }) => diskFileStep(state, label)),
      ),
    );
  }
  if (source && transfer === 'staged' && wants('export')) {
    steps.push(
      ...aroundSource(
        state,
        source.labels.map((label) => exportStep(state, label)),
      ),
    );
  }
  if (source && transfer === 'staged' && wants('convert')) {
    for (const image of section(state, 'images') ?? []) steps.push(convertStep(state, image.label));
  }
  if (!isAttached && wants('upload'))
    for (const image of section(state, 'images') ?? []) steps.push(imageStep(state, image.label));
  if (source && isDirect && wants('upload')) steps.push(recheckStep(state));
  if (wants('volume')) {
    const volumes = section(state, 'volumes') ?? [];
    if (isAttached) steps.push(sourceStep(state));
    steps.push(...volumes.map(({ label }) => volumeStep(state, label)));
    if (isAttached) steps.push(...volumes.map(({ label }) => dataStep(state, label)), recheckStep(state));
  }
  if (wants('server')) {
    for (const port of section(state, 'ports') ?? []) steps.push(portStep(state, port.label));
    if (server?.start === true) {
      if (server.create_flavor) steps.push(flavorStep(state));
      steps.push(serverStep(state));
      if (section(state, 'boot')) steps.push(bootStep(state));
    }
  }
  return steps;
}

/** Reading the source, between what comes before and after it: of a VM that is off, or of one that runs. */
function aroundSource(state: RunContext['state'], reading: readonly Step[]): Step[] {
  if (runningOf(state) === null) return [sourceStep(state), ...reading, recheckStep(state)];
  const readers = section(state, 'source')?.labels.map((label) => readerOf(state, label)) ?? [];
  return [cloneStep(state), ...reading, releaseStep(state, readers)];
}
