import { z } from 'zod';
import { formatWaitFor } from './plan/options.js';
import { bootResult } from './steps/boot.js';
import { convertResult } from './steps/convert.js';
import { exportResult } from './steps/export.js';
import { imageResult, type ImageResult } from './steps/image.js';
import { portResult } from './steps/port.js';
import { serverResult } from './steps/server.js';
import { section } from './steps/step.js';
import { volumeResult } from './steps/volume.js';
import { dataResult } from './steps/volume-data.js';
import type { RunState } from './state/fold.js';
import { strangeForm } from './strange-form.js';

/** What a run has come to: the contract of `migrate -f json` and `status -f json`. */
export interface RunResult {
  run: string;
  state: 'done' | 'failed' | 'stopped' | 'running' | 'rolled_back';
  vms: VmResult[];
}

export interface VmResult {
  vm: string | null;
  id: string | null;
  state: RunResult['state'];
  server_id: string | null;
  image_ids: string[];
  volumes: {
    label: string;
    volume_id: string;
    size_gib: number;
    capacity_bytes: number | null;
    content_hash: string | null;
  }[];
  ports: { label: string; port_id: string; mac: string; ip_addresses: string[] }[];
  boot: { proved: boolean; by: string; seen: string } | null;
  /** What was proved of each disk, and what was not. */
  proof: DiskProof[];
  warnings: { code: string; message: string }[];
  error: { code: string; message: string; hint: string | null } | null;
}

export interface DiskProof {
  label: string;
  /** Of the source as it was read (of the flattened chain, where there are snapshots). */
  content_hash: string | null;
  image: 'equal' | 'not made';
  image_hash: string | null;
  /** What was compared with what, for the image. */
  compared: string | null;
  /** `equal`: written at this machine, read back from the storage and compared. */
  volume: 'equal' | 'not read back' | 'not made';
}

/**
 * The result of a run, as far as it has come. `worker` is the process that works on it now, if any.
 * @throws StackferryError `run.unreadable` where a step's result has a form that this program does not know.
 */
export function runResult(state: RunState, worker: number | null = null): RunResult {
  const now = stateOf(state, worker);
  return { run: state.run, state: now, vms: [vmResult(state, now)] };
}

function stateOf(state: RunState, worker: number | null): RunResult['state'] {
  if (worker !== null) return 'running';
  // To programs a run that waits for its next step is one that can be gone on with.
  return state.state === 'open' || state.state === 'ready' ? 'stopped' : state.state;
}

function vmResult(state: RunState, now: RunResult['state']): VmResult {
  const converted = new Map(results(state, 'convert:', convertResult).map((item) => [item.label, item]));
  const given = z.array(convertResult.partial({ sha256: true })).safeParse(state.plan.get('files')).data ?? [];
  const exported = new Map(results(state, 'export:', exportResult).map((item) => [item.label, item]));
  const images = results(state, 'image:', imageResult).filter((item) => !isGone(state, item.image_id));
  const volumes = results(state, 'volume:', volumeResult).filter((item) => !isGone(state, item.volume_id));
  const ports = results(state, 'port:', portResult).filter((item) => !isGone(state, item.port_id));
  const server = serverResult.safeParse(state.steps.get('server')?.result).data;
  const madeServer = state.resources.findLast((item) => item.resource === 'server' && !item.gone);
  const written = new Map(
    results(state, 'data:', dataResult)
      .filter((item) => volumes.some(({ volume_id }) => volume_id === item.volume_id))
      .map((item) => [item.label, item]),
  );
  const hashOf = (label: string) =>
    written.get(label)?.content_hash ??
    images.find((item) => item.label === label)?.content_hash ??
    converted.get(label)?.content_hash ??
    given.find((item) => item.label === label)?.content_hash ??
    exported.get(label)?.content_hash ??
    null;
  const capacityOf = (label: string) =>
    converted.get(label)?.capacity_bytes ??
    given.find((item) => item.label === label)?.capacity_bytes ??
    section(state, 'source')?.vm.disks.find((disk) => disk.label === label)?.capacity_bytes ??
    null;
  const labels = new Set([
    ...exported.keys(),
    ...converted.keys(),
    ...images.map((item) => item.label),
    ...volumes.map((item) => item.label),
  ]);
  return {
    vm: state.vm?.name ?? null,
    id: state.vm?.id ?? null,
    state: now,
    server_id: server && !isGone(state, server.server_id) ? server.server_id : (madeServer?.id ?? null),
    image_ids: images.map((item) => item.image_id),
    volumes: volumes.map((item) => ({
      label: item.label,
      volume_id: item.volume_id,
      size_gib: item.size_gib,
      capacity_bytes: capacityOf(item.label),
      content_hash: hashOf(item.label),
    })),
    ports: ports.map((item) => ({
      label: item.label,
      port_id: item.port_id,
      mac: item.mac,
      ip_addresses: item.ip_addresses,
    })),
    boot:
      bootResult.safeParse(state.steps.get('boot')?.result).data ?? notSeen(state, (madeServer?.id ?? null) !== null),
    proof: [...labels].map((label) => {
      const image = images.find((item) => item.label === label);
      return {
        label,
        content_hash: hashOf(label),
        image: image ? 'equal' : 'not made',
        compared: image
          ? comparedText(image)
          : written.has(label)
            ? 'the content hash of the volume, read back, with that of the disk as it was read'
            : null,
        image_hash: image?.hash_value ? `${image.hash_algorithm}:${image.hash_value}` : null,
        volume: written.has(label)
          ? 'equal'
          : volumes.some((item) => item.label === label)
            ? 'not read back'
            : 'not made',
      };
    }),
    warnings: [...new Map(state.warnings.map((item) => [`${item.code} ${item.message}`, item])).values()],
    error: now === 'running' || now === 'done' ? null : state.error,
  };
}

/** What `image: equal` rests on. */
function comparedText({ hash_algorithm, sent_equals }: ImageResult): string {
  const glance = `${hash_algorithm} of the bytes sent with Glance's`;
  if (sent_equals === 'content_hash') return `${glance}; their content hash with that of the disk as it was converted`;
  if (sent_equals === 'read') return `${glance}; the disk was hashed as it was read, in the same pass`;
  if (sent_equals === 'file_sha512')
    return `${glance}; their sha512 with that of the qcow2 that was proved to hold the disk`;
  return glance;
}

/** A server that was made and not seen to boot; null where there is none. */
function notSeen(state: RunState, isMade: boolean): VmResult['boot'] {
  const wait = section(state, 'boot')?.wait_for;
  return isMade && wait ? { proved: false, by: formatWaitFor(wait), seen: '' } : null;
}

/**
 * The parsed results of all done steps whose key begins so, in the order in which they were begun.
 * @throws StackferryError `run.unreadable` for one of another form.
 */
function results<T>(state: RunState, prefix: string, schema: z.ZodType<T>): T[] {
  return [...state.steps.entries()]
    .filter(([key, step]) => key.startsWith(prefix) && step.state === 'done')
    .map(([key, step]) => {
      const parsed = schema.safeParse(step.result);
      if (!parsed.success) throw strangeForm(state.run, `the result of step ${key}`, parsed.error);
      return parsed.data;
    });
}

function isGone(state: RunState, id: string): boolean {
  return state.resources.some((item) => item.id === id && item.gone);
}
