import { z } from 'zod';
import type { JournalLine } from '../state/journal-line.js';
import type { ReportRun, TimelineStep } from './types.js';

/** A gap in which nobody worked on the run: shorter ones are part of the work. */
const PAUSE_SECONDS = 30;

const titles: Record<string, string> = {
  source: 'Look at the source',
  recheck: 'Look at the source again',
  server: 'Start the server',
  boot: 'Wait for the guest',
};
const titlesOfParts: Record<string, string> = {
  export: 'Copy from the host',
  convert: 'Convert',
  image: 'Upload',
  volume: 'Make the volume',
  data: 'Write the volume',
  port: 'Make the port',
};

/** Of the steps that read the disk from the host: with what they do in the same pass. */
const titlesOfReaders: Record<string, string> = {
  export: 'Copy from the host',
  convert: 'Copy from the host',
  image: 'Copy from the host and upload',
  data: 'Copy from the host onto the volume',
};

/** "Upload · scsi0:0"; the step's own name where it is of a kind that is not known here. */
function titleOf(step: string, readsHost: boolean): string {
  const [kind = '', ...label] = step.split(':');
  const ofPart = readsHost ? titlesOfReaders[kind] : titlesOfParts[kind];
  const title = label.length === 0 ? titles[kind] : ofPart;
  if (title === undefined) return step;
  return label.length === 0 ? title : `${title} · ${label.join(':')}`;
}

const withBytes = z.object({ bytes: z.number(), read_bytes: z.number().nullable().optional() });
const withCapacity = z.object({ capacity_bytes: z.number() });

interface Attempt {
  step: string;
  state: TimelineStep['state'];
  start: number;
  end: number;
  seconds: number | null;
  bytes: number | null;
}

/**
 * The attempts at each step, one after the other as the journal has them: a step that failed and was run again is there
 * twice. What was begun and never ended was cut off with its session, or runs now where `working` says so.
 * @param readsHost whether a step is the one that reads its disk from the host
 */
export function timelineOf(
  lines: readonly JournalLine[],
  working: boolean,
  readsHost: (step: string) => boolean,
): ReportRun['timeline'] {
  const attempts = attemptsOf(lines, working);
  const steps: TimelineStep[] = [];
  const pauses: ReportRun['timeline']['pauses'] = [];
  let offset = 0;
  let reached = attempts[0]?.start ?? 0;
  for (const { step, state, start, end, seconds, bytes } of attempts) {
    const gap = Math.max(0, start - reached) / 1000;
    if (gap >= PAUSE_SECONDS) pauses.push({ offset_seconds: round(offset), seconds: Math.round(gap) });
    else offset += gap;
    // One that begins before the last one ended lies beside it.
    const lead = Math.max(0, reached - start) / 1000;
    const length = Math.max(seconds ?? 0, (end - start) / 1000, 0);
    const took = seconds ?? length;
    steps.push({
      step,
      title: titleOf(step, readsHost(step)),
      from_host: readsHost(step),
      state,
      started_at: new Date(start).toISOString(),
      seconds: round(took),
      offset_seconds: round(Math.max(0, offset - lead)),
      bytes,
      rate_bytes_per_second: bytes !== null && took > 0 ? Math.round(bytes / took) : null,
    });
    offset = Math.max(offset, offset - lead + length);
    reached = Math.max(reached, start + length * 1000);
  }
  return { active_seconds: round(offset), steps, pauses };
}

function attemptsOf(lines: readonly JournalLine[], working: boolean): Attempt[] {
  const attempts: Attempt[] = [];
  const open = new Map<string, Attempt>();
  let last = 0;
  for (const line of lines) {
    const at = Date.parse(line.at);
    switch (line.kind) {
      case 'session':
        for (const attempt of open.values()) attempt.end = Math.max(attempt.start, last);
        open.clear();
        break;
      case 'step.started': {
        const attempt: Attempt = { step: line.step, state: 'cut_off', start: at, end: at, seconds: null, bytes: null };
        open.set(line.step, attempt);
        attempts.push(attempt);
        break;
      }
      case 'step.done':
      case 'step.failed': {
        const attempt = open.get(line.step);
        if (!attempt) break;
        open.delete(line.step);
        attempt.end = at;
        attempt.state = line.kind === 'step.done' ? 'done' : 'failed';
        if (line.kind === 'step.failed') break;
        attempt.seconds = line.seconds;
        attempt.bytes = bytesOf(line.step, line.result);
        break;
      }
      default:
    }
    last = at;
  }
  for (const attempt of open.values()) {
    attempt.end = Math.max(attempt.start, last);
    if (working) attempt.state = 'running';
  }
  return attempts;
}

/** What went through the step: a conversion reads the whole disk, the others what they send or fetch. */
function bytesOf(step: string, result: unknown): number | null {
  // The looks at the source tell how much there is, and read none of it.
  if (step === 'source' || step === 'recheck') return null;
  const { read_bytes: read, bytes } = withBytes.safeParse(result).data ?? {};
  if (step.startsWith('convert:')) return read ?? withCapacity.safeParse(result).data?.capacity_bytes ?? null;
  return read ?? bytes ?? null;
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
