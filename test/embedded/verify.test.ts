import { open, readFile, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { filesResult } from '../support/contract.js';
import { migrateArgs, requests, resultOf, smallVm, sourceHashes, usePeers, type Lab } from '../support/embedded.js';
import { killWhen, type Ended } from '../support/program.js';

/** `verify`, and what becomes of one bit that flips: on the source, on the way, in a file, in an image, in a volume. */

const peers = usePeers({ vms: [smallVm('web01'), smallVm('fickle')] });
const BRICK = { PYTHONPATH: fileURLToPath(new URL('../lab/os-brick', import.meta.url)) };
const isRoot = process.getuid?.() === 0;
const CHUNK = 4 * 1024 ** 2;

const result = z.object({
  state: z.string(),
  checks: z.array(
    z.object({
      label: z.string().nullable(),
      side: z.enum(['source', 'target', 'file']),
      object: z.string(),
      state: z.string(),
      code: z.string().nullable(),
      content_hash: z.string().nullable(),
      expected_hash: z.string().nullable(),
      compared: z.string().nullable(),
      first_difference: z.object({ offset_bytes: z.number(), length_bytes: z.number() }).nullable(),
      reason: z.string().nullable(),
      hint: z.string().nullable(),
    }),
  ),
});

function judged(ended: Ended, code: number) {
  expect(ended.code, ended.stderr).toBe(code);
  return result.parse(JSON.parse(ended.stdout));
}

const verify = (lab: Lab, ...args: string[]) => lab.run(['verify', ...args, '-f', 'json'], BRICK);

/** Flips one bit of a file; the same call puts it right again. Size and time of the file stay. */
async function flip(path: string, position: number): Promise<void> {
  const { atime, mtime } = await stat(path);
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
  await file.close();
  await utimes(path, atime, mtime);
}

/** Where a file has its first byte behind an offset that is not zero. */
async function dataIn(path: string, behind = 0): Promise<number> {
  const bytes = await readFile(path);
  return bytes.findIndex((byte, at) => byte !== 0 && at >= behind);
}

describe.concurrent('a run whose disks went through images', () => {
  test('raw: equal on the host and in Glance; volumes that cannot be read are called not verified', async () => {
    const lab = await peers.lab();
    const args = [...migrateArgs('web01'), '--no-start', '--image-format', 'raw'];
    const { run, vms } = resultOf(await lab.run(args));
    lab.cloud.clearLog();
    const { state, checks } = judged(await verify(lab, run, '--source', '--target'), 0);
    expect(state).toBe('equal');
    expect(checks.map(({ label, side, state: is }) => [label, side, is])).toEqual(
      ['scsi0:0', 'scsi0:1'].flatMap((label) => [
        [label, 'source', 'equal'],
        [label, 'target', 'equal'],
        [label, 'target', 'not_verified'],
      ]),
    );
    const wanted = await sourceHashes(lab, 'web01');
    expect(checks.filter(({ side }) => side === 'source').map((check) => check.content_hash)).toEqual(wanted);
    expect(checks[1]?.compared).toBe('content hash, sha512 of the image');
    expect(lab.cloud.changingRequests()).toEqual([]);

    // At rest in the store: a bit of the second chunk.
    await flip(lab.cloud.imageFile(vms[0]?.image_ids[0] ?? ''), CHUNK + 77);
    const ended = await verify(lab, run);
    const spoiled = judged(ended, 1);
    expect(spoiled.checks[0]).toMatchObject({
      state: 'differs',
      code: 'verify.differs',
      first_difference: { offset_bytes: CHUNK, length_bytes: CHUNK },
    });
    expect(ended.stderr).toContain(`bytes ${CHUNK} to ${2 * CHUNK - 1}`);
    const other = judged(await verify(lab, run, '--disk', 'scsi0:1'), 0);
    expect(other.checks.map(({ label }) => label)).toEqual(['scsi0:1', 'scsi0:1']);

    // A download that is cut is gone on with.
    const off = lab.cloud.fault({ match: { path: '/file' }, action: { kind: 'cut-response', bytes: 1_000_000 } });
    judged(await verify(lab, run, '--disk', 'scsi0:1'), 0);
    off();
    expect(requests(lab, 'GET', 'image', /\/file$/).length).toBeGreaterThan(4);
  });

  test('qcow2: a bit that flips in the store is seen by the digest of the image', async () => {
    const lab = await peers.lab();
    const args = [...migrateArgs('web01'), '--no-start', '--image-format', 'qcow2'];
    const { run, vms } = resultOf(await lab.run(args));
    judged(await verify(lab, run), 0);
    const path = lab.cloud.imageFile(vms[0]?.image_ids[1] ?? '');
    await flip(path, (await stat(path)).size - 1);
    const { checks } = judged(await verify(lab, run), 1);
    expect(checks.find(({ state }) => state === 'differs')).toMatchObject({
      label: 'scsi0:1',
      compared: 'sha512 of the image',
    });
  });

  test('a server that has booted makes its volumes differ by nature', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run(migrateArgs('web01')));
    const { checks } = judged(await verify(lab, run), 0);
    const volumes = checks.filter(({ object }) => object.startsWith('volume'));
    expect(volumes.map(({ state, reason }) => [state, reason?.includes('has booted')])).toEqual([
      ['not_verified', true],
      ['not_verified', true],
    ]);
    // Where the images are gone as well there is nothing that could be called verified.
    lab.cloud.state.images.length = 0;
    expect(judged(await verify(lab, run), 3).state).toBe('not_verified');
  });

  test('a bit that flips on the way into the store ends the upload', async () => {
    const lab = await peers.lab();
    const action = { kind: 'flip-upload', byte: CHUNK + 5 } as const;
    lab.cloud.fault({ match: { method: 'PUT', path: '/file' }, action });
    const ended = await lab.run([...migrateArgs('web01'), '--no-start']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('cloud.image_corrupt');
  });

  test('the source gives other bytes than before, though no file says that it changed', async () => {
    const lab = await peers.lab();
    const { run } = resultOf(await lab.run([...migrateArgs('fickle'), '--no-start']));
    const path = lab.tree.vm('fickle').disks[0]?.extents[0] ?? '';
    const at = await dataIn(path, 1024);
    await flip(path, at);
    const { checks } = judged(await verify(lab, run, '--source'), 1);
    await flip(path, at);
    expect(checks.map(({ state }) => state)).toEqual(['differs', 'equal']);
    expect(checks[0]?.first_difference?.offset_bytes).toBe(Math.floor(at / CHUNK) * CHUNK);
    judged(await verify(lab, run, '--source'), 0);
  });
});

describe.concurrent('files', () => {
  test.each(['raw', 'qcow2'])('%s of a run, where it lies and elsewhere', async (format) => {
    const lab = await peers.lab();
    const exported = await lab.run(['export', '--vm', 'web01', '--disk-format', format, '-o', 'out', '-f', 'json']);
    expect(exported.code, exported.stderr).toBe(0);
    const { run, disks } = filesResult.parse(JSON.parse(exported.stdout));
    const id = run ?? '';
    const [path = ''] = disks.map((disk) => disk.path);
    expect(judged(await verify(lab, id), 0).checks.map(({ state }) => state)).toEqual(['equal', 'equal']);
    const alone = await verify(lab, path);
    expect(judged(alone, 0)).toMatchObject({ state: 'read', checks: [{ content_hash: disks[0]?.content_hash }] });
    expect(alone.stderr).toContain('nothing was compared');

    const at = format === 'raw' ? CHUNK + 9 : (await stat(path)).size - 1;
    await flip(path, at);
    const [spoiled] = judged(await verify(lab, id, '--disk', 'scsi0:0'), 1).checks;
    expect(spoiled).toMatchObject({ state: 'differs', code: 'verify.differs' });
    expect(spoiled?.first_difference).not.toBeNull();
    await flip(path, at);

    const moved = join(lab.dir, `elsewhere.${format}`);
    await rename(path, moved);
    expect(judged(await verify(lab, id, '--disk', 'scsi0:0'), 3).checks[0]?.state).toBe('not_verified');
    judged(await verify(lab, moved, '--against', disks[0]?.content_hash ?? ''), 0);
    judged(await verify(lab, moved, '--against', id, '--disk', 'scsi0:0'), 0);
    const other = judged(await verify(lab, moved, '--against', disks[1]?.path ?? ''), 1);
    expect(other.checks[0]?.first_difference).toEqual({ offset_bytes: 0, length_bytes: CHUNK });
    const unsaid = await verify(lab, moved, '--against', id);
    expect(unsaid.code).toBe(2);
    expect(unsaid.stderr).toContain('--disk scsi0:0 or scsi0:1');
  });

  test('that are converted from a copy have a manifest, too', async () => {
    const lab = await peers.lab();
    const args = ['export', '--vm', 'web01', '--disk-format', 'qcow2', '--compress', '-o', 'out', '-f', 'json'];
    const { run, disks } = filesResult.parse(JSON.parse((await lab.run(args)).stdout));
    judged(await verify(lab, run ?? ''), 0);
    const [one = '', two = ''] = disks.map((disk) => disk.path);
    await rename(two, one);
    const [spoiled] = judged(await verify(lab, one, '--against', run ?? '', '--disk', 'scsi0:0'), 1).checks;
    expect(spoiled?.first_difference).toEqual({ offset_bytes: 0, length_bytes: CHUNK });
  });

  test('wrong words are refused', async () => {
    const lab = await peers.lab();
    for (const args of [[], ['no-such-run'], ['./none.raw'], ['x', '--against', 'y/z'], ['--run', 'r', 'r']]) {
      expect((await verify(lab, ...args)).code, args.join(' ')).toBe(2);
    }
  });
});

describe.runIf(isRoot)('volumes that were written at this machine, as root', () => {
  const VIA = [...migrateArgs('web01'), '--via', 'cinder', '--no-start'];

  test('are attached, read and let go; a flipped bit is found; Ctrl-C leaves nothing attached', async () => {
    const lab = await peers.lab();
    const { run, vms } = resultOf(await lab.run(VIA, BRICK));
    const { checks } = judged(await verify(lab, run), 0);
    expect(checks.map(({ state, content_hash }) => [state, content_hash])).toEqual(
      vms[0]?.volumes.map(({ content_hash }) => ['equal', content_hash]),
    );
    expect(lab.cloud.inventory('lab').attachments).toEqual([]);
    await flip(lab.cloud.volumeFile(vms[0]?.volumes[0]?.volume_id ?? ''), 2 * CHUNK + 100);
    const spoiled = judged(await verify(lab, run), 1);
    expect(spoiled.checks[0]?.first_difference).toEqual({ offset_bytes: 2 * CHUNK, length_bytes: 1024 ** 2 });
    expect(spoiled.checks[1]?.state).toBe('equal');
    expect(lab.cloud.inventory('lab').attachments).toEqual([]);

    // Of a look that was killed, the next one ends the attachment.
    await killWhen(lab.start(['verify', run], BRICK), () => lab.cloud.inventory('lab').attachments.length > 0);
    judged(await verify(lab, run), 1);
    expect(lab.cloud.inventory('lab').attachments).toEqual([]);

    const running = lab.start(['verify', run], BRICK);
    await expect.poll(() => lab.cloud.inventory('lab').attachments.length, { timeout: 60_000 }).toBeGreaterThan(0);
    running.child.kill('SIGINT');
    await running.ended;
    expect(lab.cloud.inventory('lab').attachments).toEqual([]);
    // The run is what it was.
    const status = await lab.run(['status', run, '-f', 'json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'done' });
  });
});
