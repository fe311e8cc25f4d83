import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MIB } from '../lab/esxi/index.js';
import { rollbackResult } from '../support/contract.js';
import {
  counts,
  diskReads,
  expectKilled,
  expectSourceBytes,
  forEachOf,
  killAt,
  migrateArgs,
  ONE_OF_EACH,
  requests,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
  wholeMib,
} from '../support/embedded.js';
import { journal, killWhen } from '../support/program.js';

/** kill -9 at any moment, then `--resume`: nothing is made twice, no byte copied twice that had been proved. */

const peers = usePeers({
  vms: [
    smallVm('web01'),
    // Three ranges of 64 MiB, so that a part of its copy is proved before all of it is.
    smallVm('large', { disks: [{ sizeBytes: 150 * MIB, mbr: true, dataBytes: 4 * MIB }] }),
  ],
});

/** The disks copied whole into files here first, as it can be asked for: then a copy goes on where it was cut off. */
const staged = (lab: Lab) => ['--output', join(lab.dir, 'out'), '--trust-map', 'never'];

/** The run that a killed program left behind. */
async function onlyRun(lab: Lab): Promise<string> {
  const runs = await readdir(join(lab.stateDir, 'runs'));
  expect(runs).toHaveLength(1);
  return runs[0] ?? '';
}

/** Goes on with the only run there is, and looks at all that is there in the end. */
async function resume(lab: Lab, made = ONE_OF_EACH, vmName = 'web01', ...more: string[]) {
  const run = await onlyRun(lab);
  const result = resultOf(await lab.run(['migrate', '--resume', '-f', 'json', ...more]));
  expect(result.run).toBe(run);
  expect(result.state).toBe('done');
  expect(counts(lab)).toEqual(made);
  const { attachments, servers } = lab.cloud.inventory('lab');
  expect(attachments).toHaveLength(made.volumes);
  expect(servers).toEqual([result.vms[0]?.server_id]);
  expect(lab.cloud.state.servers[0]?.volumes.map((one) => one.volume_id)).toEqual(
    result.vms[0]?.volumes.map((volume) => volume.volume_id),
  );
  await expectSourceBytes(lab, vmName, result);
  return result;
}

/** Nothing was asked for twice, and no image byte went over the wire a second time. */
function expectOnce(lab: Lab): void {
  expect(requests(lab, 'POST', 'image', /\/images$/)).toHaveLength(2);
  expect(requests(lab, 'POST', 'block-storage', /\/volumes$/)).toHaveLength(2);
  expect(requests(lab, 'POST', 'network', /\/ports$/)).toHaveLength(1);
  expect(requests(lab, 'POST', 'compute', /\/servers$/)).toHaveLength(1);
  const puts = requests(lab, 'PUT', 'image', /\/file$/);
  expect(puts.map((entry) => entry.receivedBytes).sort((a, b) => a - b)).toEqual([5 * MIB + 512, 9 * MIB]);
  const deleted = lab.cloud.requests().filter((entry) => entry.method === 'DELETE');
  expect(deleted).toEqual([]);
}

describe('kill -9 at every line of the journal', () => {
  test('after each line, before its effect, and before each result, after its effect', async () => {
    const whole = await peers.lab();
    const first = await whole.run(migrateArgs('web01'));
    const { run } = resultOf(first);
    expect(first.stderr).not.toContain('retry');
    expectOnce(whole);
    const lines = await journal(whole.stateDir, run);
    expect(lines.length).toBeGreaterThan(40);
    // Between a line and the next lies an effect where the next is a result.
    const isResult = ({ kind, step }: Record<string, unknown>) =>
      ['made', 'server.started', 'run.closed'].includes(String(kind)) ||
      (kind === 'step.done' && /^(export|convert|image|recheck)/.test(String(step)));
    const numbered = lines.map((line, index) => ({
      line: index + 1,
      what: `${String(line['kind'])} ${String(line['step'])}`,
      entry: line,
    }));
    const points = [
      ...numbered.slice(0, -1).map(({ line, what }) => ({ when: 'after' as const, line, what })),
      ...numbered
        .filter(({ entry }) => isResult(entry))
        .map(({ line, what }) => ({ when: 'before' as const, line, what })),
    ];
    expect(points.length).toBeGreaterThan(50);
    await forEachOf(points, 5, async ({ when, line }) => {
      const lab = await peers.lab();
      expectKilled(await lab.run(migrateArgs('web01'), killAt(when, line)));
      const left = await journal(lab.stateDir, await onlyRun(lab));
      expect(left).toHaveLength(when === 'after' ? line : line - 1);
      if (left.some((entry) => entry['section'] === 'options')) {
        await resume(lab);
      } else {
        // It ended before it knew its options: what was said must be said again.
        const result = resultOf(await lab.run(migrateArgs('web01')));
        expect(counts(lab)).toEqual(ONE_OF_EACH);
        await expectSourceBytes(lab, 'web01', result);
      }
      expectOnce(lab);
    });
  }, 600_000);

  test('again and again, in one run', async () => {
    const lab = await peers.lab();
    for (const match of [/"step.started","step":"image:scsi0:1"/, /"made".*"volume"/, /"intent".*"server"/]) {
      expectKilled(await lab.run(migrateArgs('web01'), killAt('after', match)));
    }
    await resume(lab);
    expectOnce(lab);
  });
});

describe.concurrent('kill -9 in the middle', () => {
  test('of the copy: what was proved is not read again', async () => {
    const lab = await peers.lab();
    lab.host.faults.stallAfterBytes(80 * MIB);
    const running = lab.start(migrateArgs('large', '--streams', '1', ...staged(lab)));
    await killWhen(running, () => diskReads(lab.host).reduce((sum, read) => sum + read.bytes, 0) >= 78 * MIB);
    await lab.host.faults.clear();
    const first = diskReads(lab.host);
    // A range of 64 MiB came whole, and is proved; the next one broke off.
    expect(first).toHaveLength(2);
    expect(wholeMib(first.slice(0, 1))).toBe(64);
    lab.host.resetLog();
    await resume(lab, { images: 1, volumes: 1, ports: 1, servers: 1 }, 'large', '--trust-map', 'never');
    const second = diskReads(lab.host);
    expect(second).toHaveLength(2);
    expect(wholeMib(second)).toBe(150 - 64);
  });

  test('of the upload: one image with all the bytes', async () => {
    const lab = await peers.lab();
    const running = lab.start(migrateArgs('large', '--image-format', 'raw', ...staged(lab)));
    const put = () => requests(lab, 'PUT', 'image', /\/file$/)[0];
    await killWhen(running, () => (put()?.receivedBytes ?? 0) > 4 * MIB);
    expect(put()?.receivedBytes).toBeLessThan(150 * MIB);
    const read = diskReads(lab.host).length;
    await resume(lab, { images: 1, volumes: 1, ports: 1, servers: 1 }, 'large');
    // The disk was proved and converted before: the host is not read again.
    expect(diskReads(lab.host)).toHaveLength(read);
    expect(requests(lab, 'PUT', 'image', /\/file$/)).toHaveLength(2);
  });

  test('of the one pass: it starts over, and there is one image', async () => {
    const lab = await peers.lab();
    const running = lab.start(migrateArgs('large', '--image-format', 'raw'));
    const put = () => requests(lab, 'PUT', 'image', /\/file$/)[0];
    await killWhen(running, () => (put()?.receivedBytes ?? 0) > 4 * MIB);
    expect(put()?.receivedBytes).toBeLessThan(150 * MIB);
    await resume(lab, { images: 1, volumes: 1, ports: 1, servers: 1 }, 'large');
    expect(requests(lab, 'PUT', 'image', /\/file$/)).toHaveLength(2);
  });

  test('of the conversion', async () => {
    const lab = await peers.lab();
    expectKilled(
      await lab.run(migrateArgs('large', ...staged(lab)), killAt('after', /"step.started","step":"convert/)),
    );
    const read = diskReads(lab.host).length;
    await resume(lab, { images: 1, volumes: 1, ports: 1, servers: 1 }, 'large');
    expect(diskReads(lab.host)).toHaveLength(read);
  });

  test('while a volume and a server are being made', async () => {
    for (const [path, delays] of [
      [/\/volumes$/, { volume: 3000 }],
      [/\/servers$/, { server: 3000 }],
    ] as const) {
      const lab = await peers.lab({ cloud: { delays } });
      const running = lab.start(migrateArgs('web01'));
      await killWhen(running, () =>
        lab.cloud.requests().some((entry) => entry.method === 'POST' && path.test(entry.path)),
      );
      await resume(lab);
    }
  });

  test('is shown by status, and rollback takes back what there is', async () => {
    const lab = await peers.lab();
    const before = lab.cloud.inventory('lab');
    expectKilled(await lab.run(migrateArgs('web01'), killAt('before', /"made".*"resource":"volume"/)));
    const run = await onlyRun(lab);
    const status = await lab.run(['status', run, '-f', 'json']);
    const { steps, ...result } = JSON.parse(status.stdout) as Record<string, unknown>;
    expect(result['state']).toBe('stopped');
    expect(steps).toContainEqual({ step: 'volume:scsi0:0', state: 'cut off', seconds: null });
    // The volume is there, and no line of the journal names its id: it is found by its mark.
    expect(counts(lab).volumes).toBe(1);
    const back = await lab.run(['rollback', run, '-f', 'json']);
    expect(back.code, back.stderr).toBe(0);
    expect(rollbackResult.parse(JSON.parse(back.stdout)).state).toBe('rolled_back');
    expect(lab.cloud.inventory('lab')).toEqual(before);
  });
});
