import { findingsOf } from '../findings/index.js';
import { sections, type Section, type SectionName } from '../plan/sections.js';
import type { InventoryVm } from '../read-inventory.js';
import { runResult, type VmResult } from '../result.js';
import type { RunState } from '../state/fold.js';
import type { JournalLine } from '../state/journal-line.js';
import { imageResult } from '../steps/image.js';
import { readerOf } from '../steps/transfer.js';
import { timelineOf } from './timeline.js';
import type { Proof, ReportRun, ReportTarget } from './types.js';

/** A run as its journal has it; `worker` is the process that works on it now, if any. */
export interface RunInput {
  state: RunState;
  lines: readonly JournalLine[];
  worker: number | null;
}

/** What a report says of a run. */
export function reportRun({ state, lines, worker }: RunInput): ReportRun {
  const result = runResult(state, worker);
  const vm = result.vms[0];
  if (!vm) throw new Error(`run ${state.run} has no result`);
  return {
    run: state.run,
    command: state.command,
    state: result.state,
    opened_at: state.openedAt,
    updated_at: state.updatedAt,
    vm: state.vm,
    source_host: part(state, 'source')?.host ?? null,
    target: targetOf(state, vm),
    timeline: timelineOf(lines, worker !== null, (step) => step === readerOf(state, step.replace(/^[^:]*:/, ''))),
    proofs: proofsOf(state, vm),
    warnings: vm.warnings,
    error: vm.error,
  };
}

/** The VM as it was when the run looked at it; undefined where the run began with files or images. */
export function inventoryVmOf(state: RunState): InventoryVm | undefined {
  const source = part(state, 'source');
  if (!source) return undefined;
  // The plan has it as it was before; once that step is done, the run has seen it off.
  const seenOff = state.steps.get('source')?.state === 'done';
  const vm = seenOff ? { ...source.vm, power_state: 'off' as const } : source.vm;
  const host = { name: source.host, product: null, version: null, build: null, uuid: null, license: null };
  const findings = findingsOf(vm, { host, datastores: [], networks: [], vms: [vm], skipped: [] });
  const shown: Partial<typeof vm> & Omit<typeof vm, 'facts'> = { ...vm };
  delete shown.facts;
  return { ...shown, findings };
}

/** A part of the plan; undefined where it was not resolved, or has a form that this program does not know. */
function part<N extends SectionName>(state: RunState, name: N): Section<N> | undefined {
  return sections[name].safeParse(state.plan.get(name)).data as Section<N> | undefined;
}

function targetOf(state: RunState, vm: VmResult): ReportTarget {
  const cloud = part(state, 'cloud');
  const server = part(state, 'server');
  const volumes = part(state, 'volumes') ?? [];
  const ports = part(state, 'ports') ?? [];
  const planned = new Set([...volumes.map(({ label }) => label), ...vm.volumes.map(({ label }) => label)]);
  const portLabels = new Set([...ports.map(({ label }) => label), ...vm.ports.map(({ label }) => label)]);
  return {
    cloud: cloud?.name ?? null,
    project: cloud?.project_name ?? null,
    region: cloud?.region ?? null,
    server: server
      ? {
          name: server.name,
          server_id: vm.server_id,
          flavor: server.flavor_name,
          flavor_reason: server.flavor_reason,
          zone: server.zone,
        }
      : null,
    images: vm.image_ids.map((image_id) => ({ label: labelOfImage(state, image_id), image_id })),
    volumes: [...planned].map((label) => {
      const made = vm.volumes.find((item) => item.label === label);
      const plan = volumes.find((item) => item.label === label);
      return {
        label,
        name: plan?.name ?? null,
        volume_id: made?.volume_id ?? null,
        size_gib: made?.size_gib ?? plan?.size_gib ?? 0,
        type: plan?.type ?? null,
        capacity_bytes: made?.capacity_bytes ?? null,
        content_hash: made?.content_hash ?? null,
      };
    }),
    ports: [...portLabels].map((label) => {
      const made = vm.ports.find((item) => item.label === label);
      const plan = ports.find((item) => item.label === label);
      return {
        label,
        network: plan?.network_name ?? null,
        port_id: made?.port_id ?? null,
        mac: made?.mac ?? plan?.mac ?? null,
        ip_addresses: made?.ip_addresses ?? [],
      };
    }),
  };
}

function labelOfImage(state: RunState, id: string): string | null {
  const results = [...state.steps.values()].map((step) => imageResult.safeParse(step.result).data);
  return results.find((result) => result?.image_id === id)?.label ?? null;
}

/** What was shown to be so, and, as plainly, what was not. */
function proofsOf(state: RunState, vm: VmResult): Proof[] {
  const isDone = (step: string) => state.steps.get(step)?.state === 'done';
  const proofs: Proof[] = [];
  for (const { label, content_hash, image, image_hash, volume } of vm.proof) {
    const add = (claim: string, proved: boolean, detail: string) =>
      proofs.push({ subject: label, claim, proved, detail });
    if (isDone(readerOf(state, label))) {
      const detail = content_hash ?? 'no content hash is known';
      add('The disk was read whole from the host', content_hash !== null, detail);
    }
    if (isDone(`convert:${label}`)) add('The converted image holds what was read', true, content_hash ?? '');
    if (image === 'equal') {
      const known = image_hash !== null && !image_hash.startsWith('none:');
      add('Glance holds what was sent', known, known ? image_hash : 'Glance shows no hash that can be compared');
    }
    if (volume === 'equal') add('The volume holds what was read of the disk', true, content_hash ?? '');
    if (volume === 'not read back') {
      add('The volume holds the image', false, 'Cinder made it from the image; it was not read back');
    }
  }
  if (vm.boot) {
    const { proved, by, seen } = vm.boot;
    proofs.push({
      subject: 'server',
      claim: 'The guest booted',
      proved,
      detail: proved ? `${by}: ${seen}` : `nobody looked (--wait-for ${by})`,
    });
  } else if (vm.server_id !== null) {
    proofs.push({ subject: 'server', claim: 'The guest booted', proved: false, detail: 'it was not seen to' });
  }
  return proofs;
}
