import { UsageError } from '../../core/index.js';
import { ChunkManifest, type ChunkMarks } from '../../disk/index.js';
import { runResult, type DiskProof } from '../result.js';
import { convertResult } from '../steps/convert.js';
import { exportResult } from '../steps/export.js';
import { fileOf } from '../steps/image-content.js';
import { imageResult } from '../steps/image.js';
import { manifestPath } from '../steps/manifest.js';
import { section, type RunContext } from '../steps/step.js';
import { volumeResult } from '../steps/volume.js';
import { guarded, notVerified, type Check, type Expected, type Subject } from './check.js';
import { checkMadeFile, isThere, type MadeFile } from './file.js';
import { checkImage } from './image.js';
import { checkSourceDisk } from './source.js';
import { checkVolume } from './volume.js';

export interface VerifyRun {
  source: boolean;
  target: boolean;
  /** Labels of the only disks that are looked at; all where there are none. */
  disks: readonly string[];
}

/** A disk of a run: what it should be. */
interface RunDisk {
  label: string;
  capacityBytes: number | null;
  expected: Expected;
}

/**
 * Looks at the disks of a run again, on the host and where they came to lie. Writes to neither.
 * @param lock see `lockRun`; taken while a volume is attached
 */
export async function verifyRun(rc: RunContext, request: VerifyRun, lock: string): Promise<Check[]> {
  const checks: Check[] = [];
  for (const disk of await disksOf(rc, request.disks)) {
    const subject = (side: Check['side'], object: string): Subject => ({
      run: rc.run,
      vm: rc.state.vm?.name ?? null,
      label: disk.label,
      side,
      object,
    });
    if (request.source) checks.push(await sourceOf(rc, disk, subject));
    if (request.target) checks.push(...(await targetsOf(rc, disk, subject, lock)));
  }
  return checks;
}

/** What a run knows of one of its disks: what a file is compared with. */
export async function expectedOf(rc: RunContext, label: string): Promise<Expected> {
  const [disk] = await disksOf(rc, [label]);
  return disk?.expected ?? { contentHash: null, marks: null };
}

/** The labels of a run's disks, and the files that it made of them. */
export function filesOf(rc: RunContext): { label: string; path: string | null }[] {
  return proofsOf(rc).map(({ label }) => ({ label, path: madeFile(rc, label)?.path ?? null }));
}

async function disksOf(rc: RunContext, only: readonly string[]): Promise<RunDisk[]> {
  const proofs = proofsOf(rc);
  const labels = proofs.map(({ label }) => label);
  const unknown = only.find((label) => !labels.includes(label));
  if (unknown !== undefined) {
    throw new UsageError(
      `--disk ${unknown}: run ${rc.run} has no such disk.`,
      `It has: ${labels.join(', ') || 'none'}.`,
    );
  }
  if (labels.length === 0) {
    throw new UsageError(`Run ${rc.run} has read no disk yet.`, `See: stackferry status ${rc.run}`);
  }
  const disks: RunDisk[] = [];
  for (const { label, content_hash: contentHash } of proofs) {
    if (only.length > 0 && !only.includes(label)) continue;
    const capacityBytes = capacityOf(rc, label);
    const marks: ChunkMarks | null =
      capacityBytes === null ? null : await ChunkManifest.read(manifestPath(rc, label), capacityBytes);
    disks.push({ label, capacityBytes, expected: { contentHash, marks } });
  }
  return disks;
}

function proofsOf(rc: RunContext): DiskProof[] {
  return runResult(rc.state).vms.flatMap((vm) => vm.proof);
}

function capacityOf(rc: RunContext, label: string): number | null {
  const made = madeFile(rc, label)?.capacityBytes ?? resultOf(rc, `image:${label}`, imageResult)?.capacity_bytes;
  const disk = section(rc.state, 'source')?.vm.disks.find((item) => item.label === label);
  return made ?? disk?.capacity_bytes ?? null;
}

function resultOf<T>(rc: RunContext, step: string, schema: { safeParse(value: unknown): { data?: T } }): T | undefined {
  const { state, result } = rc.state.steps.get(step) ?? {};
  return state === 'done' ? schema.safeParse(result).data : undefined;
}

/** The newest file that the run has of a disk: its image, or else the files as they were copied. */
function madeFile(rc: RunContext, label: string): MadeFile | null {
  const isGiven = rc.state.plan.has('files');
  const image = isGiven ? fileOf(rc.state, label) : resultOf(rc, `convert:${label}`, convertResult);
  if (image) {
    const { path, format, capacity_bytes: capacityBytes, file_sha512: fileSha512 } = image;
    return { path, format, capacityBytes, fileSha512 };
  }
  const copied = resultOf(rc, `export:${label}`, exportResult);
  return copied ? { path: copied.path, format: 'vmdk', capacityBytes: copied.capacity_bytes, fileSha512: null } : null;
}

type SubjectOf = (side: Check['side'], object: string) => Subject;

async function sourceOf(rc: RunContext, { label, expected }: RunDisk, of: SubjectOf): Promise<Check> {
  const source = section(rc.state, 'source');
  const disk = source?.vm.disks.find((item) => item.label === label);
  const subject = of('source', disk?.path ?? label);
  if (!source || !disk) {
    return notVerified(subject, 'the run has read no VM', 'It began with files, images or volumes of your own.');
  }
  return guarded(rc.ctx, subject, () => checkSourceDisk(rc, label, subject, expected));
}

async function targetsOf(rc: RunContext, disk: RunDisk, of: SubjectOf, lock: string): Promise<Check[]> {
  const { label, expected, capacityBytes } = disk;
  const checks: Check[] = [];
  const file = madeFile(rc, label);
  // The run's own folder is emptied once its files have served.
  const isOwn = section(rc.state, 'source')?.ownDir === true && !rc.state.plan.has('convert_dir');
  if (file && !(isOwn && !(await isThere(file.path)))) {
    const subject = of('target', file.path);
    checks.push(await guarded(rc.ctx, subject, () => checkMadeFile(rc.ctx, file, subject, expected)));
  }
  const image = resultOf(rc, `image:${label}`, imageResult);
  if (image && !isGone(rc, image.image_id)) {
    const subject = of('target', `image ${image.image_id}`);
    const whole = { ...image, capacity_bytes: image.capacity_bytes ?? capacityBytes ?? image.bytes };
    checks.push(await guarded(rc.ctx, subject, () => checkImage(rc, whole, subject, expected)));
  }
  const volume = resultOf(rc, `volume:${label}`, volumeResult);
  if (volume && !isGone(rc, volume.volume_id)) {
    const subject = of('target', `volume ${volume.volume_id}`);
    const whole = { ...volume, capacity_bytes: capacityBytes };
    checks.push(await guarded(rc.ctx, subject, () => checkVolume(rc, whole, lock, subject, expected)));
  }
  if (checks.length > 0) return checks;
  return [
    notVerified(of('target', label), 'nothing that the run made of it is left', `See: stackferry status ${rc.run}`),
  ];
}

function isGone(rc: RunContext, id: string): boolean {
  return rc.state.resources.some((item) => item.id === id && item.gone);
}
