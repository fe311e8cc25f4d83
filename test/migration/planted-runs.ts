import { mkdir, writeFile } from 'node:fs/promises';
import type { VmRecord } from '../../src/esxi/index.js';
import type { RunStore } from '../../src/migration/state/store.js';
import { vm as sampleVm } from './sample-vm.js';

export interface Planted {
  command?: string;
  /** Null for a run of files or images. */
  vm?: VmRecord | null;
  host?: string;
  /** Labels that move; all if unset. */
  labels?: string[];
  outputDir?: string;
  /** Lines behind the source's, without their times. */
  lines?: Record<string, unknown>[];
}

/** Writes the journal of a run as the program would have. Runs are the older, the sooner their ids sort. */
export async function plantRun(store: RunStore, run: string, given: Planted = {}): Promise<void> {
  const { vm = sampleVm(), command = 'migrate', host = 'esx1' } = given;
  const labels = given.labels ?? vm?.disks.map(({ label }) => label);
  const { dir, journal, disks } = store.paths(run);
  const opened = vm === null ? null : { id: vm.id, name: vm.name, uuid: vm.uuid };
  const place = { outputDir: given.outputDir ?? disks, ownDir: given.outputDir === undefined };
  const source = { host, port: 22, user: 'root', vm, labels, ...place };
  const lines = [
    { kind: 'run.opened', version: 1, run, program: '0.1.0', command, vm: opened },
    ...(vm === null ? [] : [{ kind: 'plan', section: 'source', value: source }]),
    ...(given.lines ?? []),
  ];
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const at = `2026-01-01T00:00:00.${String(run.charCodeAt(1) % 100).padStart(3, '0')}Z`;
  await writeFile(journal, lines.map((line) => `${JSON.stringify({ ...line, at })}\n`).join(''));
}

export const done = (step: string, result: unknown = null) => ({ kind: 'step.done', step, seconds: 1, result });
export const closed = (state: string) => ({ kind: 'run.closed', state });
/** The copy of these disks, whole. */
export const copied = (...labels: string[]) =>
  ['source', ...labels.map((label) => `export:${label}`), 'recheck'].map((step) => done(step));
