import { z } from 'zod';
import { formatBytes } from '../core/index.js';
import { nextCommand } from '../migration/next-command.js';
import type { RunResult } from '../migration/result.js';
import type { RunState } from '../migration/state/fold.js';
import { convertResult } from '../migration/steps/convert.js';
import { exportResult } from '../migration/steps/export.js';
import type { StreamResult } from '../migration/steps/stream.js';
import { printable, render, type Column, type Format } from '../ui/index.js';

/**
 * Prints a run's result: JSON and YAML as the contract has it, a few lines for a person. Those tell the run's state in
 * the words of `status` where its state is given.
 */
export async function printResult(
  out: (text: string) => void,
  format: Format,
  result: Omit<RunResult, 'run'> & { run: string | null },
  state?: RunState,
): Promise<void> {
  if (format !== 'table') {
    out(await render(format, result, resultColumns, result.vms));
    return;
  }
  const lines: string[] = [];
  for (const vm of result.vms) {
    for (const proof of vm.proof) {
      lines.push(`disk     ${proof.label}  ${proofText(proof)}`);
    }
    for (const volume of vm.volumes) {
      const capacity = volume.capacity_bytes === null ? '' : `  disk of ${formatBytes(volume.capacity_bytes)}`;
      lines.push(`volume   ${volume.label}  ${volume.volume_id}  ${volume.size_gib} GiB${capacity}`);
    }
    for (const port of vm.ports)
      lines.push(`port     ${port.label}  ${port.port_id}  ${port.mac}  ${port.ip_addresses.join(' ')}`);
    if (vm.server_id !== null) {
      const boot = vm.boot?.proved === true ? printable(vm.boot.seen) : 'boot not proved';
      lines.push(`server   ${vm.server_id}  ${boot}`);
    }
  }
  const isReady = state?.state === 'ready' && result.state === 'stopped';
  lines.push(`run      ${result.run}  ${isReady ? 'ready' : result.state}`);
  const next = state && result.state !== 'running' ? nextCommand(state) : null;
  if (next !== null) lines.push(`next     ${next}`);
  out(`${lines.join('\n')}\n`);
}

/** What is known of a disk's bytes; of a volume of a given image, or one that is not written whole yet, nothing. */
function proofText({ content_hash, image, image_hash, volume }: RunResult['vms'][number]['proof'][number]): string {
  if (volume === 'equal') return `${content_hash ?? 'content hash not known'}  no image, volume read back equal`;
  const madeVolume = volume === 'not made' ? 'no volume' : 'volume not read back';
  if (content_hash === null && image === 'not made') {
    return volume === 'not made' ? 'nothing known of its content' : 'nothing known of its content, nothing compared';
  }
  const madeImage = image === 'equal' ? `image equal (${image_hash?.split(':', 1)[0] ?? ''})` : 'no image';
  return `${content_hash ?? 'content hash not known'}  ${madeImage}, ${madeVolume}`;
}

const resultColumns: Column<RunResult['vms'][number]>[] = [
  { name: 'vm', value: (row) => row.vm },
  { name: 'id', value: (row) => row.id },
  { name: 'state', value: (row) => row.state },
  { name: 'server_id', value: (row) => row.server_id },
  { name: 'image_ids', value: (row) => row.image_ids.join(' ') },
  { name: 'volume_ids', value: (row) => row.volumes.map((volume) => volume.volume_id).join(' ') },
  { name: 'error', value: (row) => row.error?.code ?? null },
];

/** A disk's file on this machine, as `export` and `convert` print it. */
export interface FileDisk {
  label: string;
  path: string;
  format: string;
  capacity_bytes: number;
  bytes: number;
  content_hash: string | null;
  sha256: string | null;
}

const fileColumns: Column<FileDisk>[] = [
  { name: 'label', value: (row) => row.label },
  { name: 'format', value: (row) => row.format },
  { name: 'capacity_bytes', value: (row) => row.capacity_bytes, align: 'right' },
  { name: 'bytes', value: (row) => row.bytes, align: 'right' },
  { name: 'content_hash', value: (row) => row.content_hash },
  { name: 'path', value: (row) => row.path },
];

/** Prints the files of `export` and `convert`. */
export async function printFiles(
  out: (text: string) => void,
  format: Format,
  files: { run: string | null; vm: string | null; disks: FileDisk[] },
): Promise<void> {
  const disks = files.disks.map(fileDisk);
  out(await render(format, { ...files, disks }, fileColumns, disks));
  if (format === 'table' && files.run !== null) out(`run      ${files.run}\n`);
}

/** What is told of an image that was written to stdout: for stderr, the content hash last. */
export function streamText({ label, format, capacity_bytes, bytes, content_hash }: StreamResult): string {
  const of = capacity_bytes === bytes ? '' : `, a disk of ${capacity_bytes} bytes`;
  return `disk     ${label}  ${format}, ${bytes} bytes on stdout${of}\nhash     ${label}  ${content_hash}\n`;
}

/** The exported files of a run, one entry a disk. */
export function exportedFiles(state: RunState): FileDisk[] {
  return stepResults(state, 'export:', exportResult).map((item) => fileDisk({ ...item, format: 'vmdk' }));
}

/** The converted files of a run, one entry a disk. */
export function convertedFiles(state: RunState): FileDisk[] {
  return stepResults(state, 'convert:', convertResult).map(fileDisk);
}

/** The fields of the contract, and no others. */
function fileDisk({ label, path, format, capacity_bytes, bytes, content_hash, sha256 }: FileDisk): FileDisk {
  return { label, path, format, capacity_bytes, bytes, content_hash, sha256 };
}

function stepResults<T>(state: RunState, prefix: string, schema: z.ZodType<T>): T[] {
  return [...state.steps]
    .filter(([key, step]) => key.startsWith(prefix) && step.state === 'done')
    .map(([, step]) => schema.parse(step.result));
}
