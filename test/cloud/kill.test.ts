import { stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { journal, killWhen, type Ended } from '../support/program.js';
import { imageFile, runOf, volumeFile } from '../support/real-cloud.js';
import { MIGRATE, PATIENCE, VM, cloudBench, contentHash, expectDone, resultOf, sourceDisk } from './bench.js';

const bench = cloudBench();
const RESUME = ['migrate', '--resume', '--vm', VM, ...PATIENCE, '--yes', '-f', 'json'];

type Line = Record<string, unknown>;

async function lines(): Promise<Line[]> {
  const [run] = await bench.runs();
  return run === undefined ? [] : journal(bench.stateDir, run).catch(() => []);
}

const holds = (all: readonly Line[], wanted: Line): boolean =>
  all.some((line) => Object.entries(wanted).every(([key, value]) => line[key] === value));

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size, blocks }) => Math.min(size, blocks * 512),
    () => 0,
  );
}

/** Lines of stderr, by step: `export   disk scsi0:0 of web01 … done before`. */
function stepLine({ stderr }: Ended, kind: string, subject: string): string {
  return stderr.split('\n').find((line) => line.startsWith(kind) && line.includes(subject)) ?? '';
}

describe('kill -9 in the one pass, and between the volumes and the server', () => {
  let run = '';
  const there = new Set<string>();

  test('in the one pass: killed while Glance writes', async () => {
    for (const { id } of await bench.listing()) there.add(id);
    let image = '';
    const ended = await killWhen(bench.start(MIGRATE), async () => {
      const made = (await lines()).find((line) => line['kind'] === 'made' && line['resource'] === 'image');
      image = typeof made?.['id'] === 'string' ? made['id'] : '';
      return image !== '' && (await sizeOf(imageFile(image))) > 0;
    });
    expect(ended.signal).toBe('SIGKILL');
    [run = ''] = await bench.runs();
    expect(holds(await lines(), { kind: 'step.done', step: 'image:scsi0:0' })).toBe(false);
    expect(await bench.made(run)).toEqual({ image: 1 });
  });

  test('resumed; between the volumes and the server: killed when the last volume is there', async () => {
    const ended = await killWhen(bench.start(RESUME), async () =>
      holds(await lines(), { kind: 'step.done', step: 'volume:scsi0:1' }),
    );
    expect(ended.signal).toBe('SIGKILL');
    expect(stepLine(ended, 'image', 'scsi0:0'), ended.stderr).toMatch(/ read, .* sent as .*, sha512 equal/);
    expect(holds(await lines(), { kind: 'step.started', step: 'server' })).toBe(false);
    expect(await bench.made(run)).toMatchObject({ image: 2, volume: 2 });
    expect(await bench.made(run)).not.toHaveProperty('server');
  });

  test('status says that it stopped, and where', async () => {
    const status = await bench.run(['status', run, '-f', 'json']);
    expectDone(status);
    expect(resultOf(status)).toMatchObject({ state: 'stopped', server_id: null });
    expect(resultOf(status).volumes).toHaveLength(2);
  });

  test('resumed to its end: the server is there, nothing was made twice, and the bytes are the source’s', async () => {
    const ended = await bench.run(RESUME);
    expectDone(ended);
    const vm = resultOf(ended);
    expect(vm).toMatchObject({ run, state: 'done' });
    expect(await bench.runs()).toEqual(new Set([run]));
    for (const label of ['scsi0:0', 'scsi0:1']) {
      for (const kind of ['image', 'volume']) {
        expect(stepLine(ended, kind, label), ended.stderr).toContain('done before');
      }
    }
    expect(await bench.made(run)).toEqual({ server: 1, volume: 2, port: 1, image: 2 });
    const mine = (await bench.listing()).filter((row) => runOf(row) === run);
    expect(mine.map(({ id }) => id).sort()).toEqual(
      [
        vm.server_id,
        ...vm.image_ids,
        ...vm.volumes.map(({ volume_id }) => volume_id),
        ...vm.ports.map((port) => port.port_id),
      ].sort(),
    );
    for (const [index, { volume_id, capacity_bytes }] of vm.volumes.entries()) {
      const source = await contentHash(await sourceDisk(VM, index), capacity_bytes);
      expect(await contentHash(volumeFile(volume_id), capacity_bytes)).toBe(source);
    }
  });

  test('nothing of those names has come that does not carry its mark', async () => {
    const names = ['web01-scsi0:0', 'web01-scsi0:1', 'web01-ethernet0'];
    const come = (await bench.listing()).filter((row) => names.includes(String(row['name'])) && !there.has(row.id));
    expect(come.map((row) => runOf(row))).toEqual([run, run, run, run, run]);
  });
});
