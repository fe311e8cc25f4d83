import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_BYTES, ContentHasher, parseDescriptor } from '../../../src/disk/index.js';
import { copyDisk, planExport, shellProbe } from '../../../src/esxi/export/index.js';
import type { DiskPlan } from '../../../src/esxi/export/index.js';
import { shellFiles } from '../../../src/esxi/read/index.js';
import { localShell, type LocalShell } from '../../support/local-shell.js';
import { recordingContext, type RecordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';
import { patterned, writeCowd, writeFlat, writeSparse, writeSplit, type Written } from '../../support/vmdk-files.js';

const temp = tempFolders();
const MIB = 1024 * 1024;
const options = { rangeBytes: CHUNK_BYTES };

let root: string;
let vm: string;
let out: string;
let shell: LocalShell;
let ctx: RecordingContext;

beforeEach(async () => {
  root = await temp();
  vm = join(root, 'ds', 'web 01');
  out = await temp();
  await mkdir(vm, { recursive: true });
  shell = localShell(root);
  ctx = recordingContext();
});

async function planOf(...names: string[]): Promise<DiskPlan> {
  const chain = names.map((name) => (name.startsWith('[') ? name : `[ds] web 01/${name}`));
  const disk = { label: 'scsi0:0', controller: null, path: chain.at(-1) ?? null, capacity_bytes: null } as const;
  const rest = { allocated_bytes: null, kind: null, mode: 'persistent', shared: false, chain } as const;
  const { disks } = await planExport(shellProbe(shell), [{ ...disk, ...rest, chain }], ctx, { outputDir: out });
  if (!disks[0]) throw new Error('no plan');
  return disks[0];
}

function contentHash(content: Buffer): string {
  const hasher = new ContentHasher();
  hasher.update(content);
  return hasher.digest();
}

/** Streams that read ranges. */
const ddCommands = () => shell.commands.filter((command) => command.includes('skip='));

describe('copyDisk', () => {
  for (const bytes of [512, MIB, 5 * MIB + 512, 3 * CHUNK_BYTES, 9 * MIB + 1536]) {
    it(`copies a flat disk of ${bytes} bytes, hashed as the guest sees it`, async () => {
      const content = patterned(bytes, 'flat');
      await writeFlat(vm, 'web 01', content);
      const copied = await copyDisk(shellFiles(shell), await planOf('web 01.vmdk'), out, ctx, {
        ...options,
        sha256: true,
      });
      expect(copied).toMatchObject({
        label: 'scsi0:0',
        descriptorPath: join(out, 'scsi0-0', 'web 01.vmdk'),
        kind: 'flat',
        capacityBytes: bytes,
        contentHash: contentHash(content),
        sha256: createHash('sha256').update(content).digest('hex'),
        copiedBytes: bytes,
      });
      expect((await readFile(join(out, 'scsi0-0', 'web 01-flat.vmdk'))).equals(content)).toBe(true);
      expect(await readFile(copied.descriptorPath)).toEqual(await readFile(join(vm, 'web 01.vmdk')));
      expect((await readdir(join(out, 'scsi0-0'))).sort()).toEqual([
        '.web 01-flat.vmdk.proof',
        'web 01-flat.vmdk',
        'web 01.vmdk',
      ]);
    });
  }

  it('copies a last byte that stands alone in its block', async () => {
    // A descriptor counts sectors, so the odd byte can only come from a sparse kind's file: read one as an extent.
    const plan = await flatPlan(patterned(MIB, 'x'));
    const odd = Buffer.concat([patterned(5 * MIB, 'odd'), Buffer.from('!')]);
    await writeFile(join(vm, 'web-flat.vmdk'), odd);
    const extents = plan.links[0]?.extents.map((extent) => ({ ...extent, bytes: odd.length })) ?? [];
    const [link] = plan.links;
    if (!link) throw new Error('no link');
    const copied = await copyDisk(shellFiles(shell), { ...plan, links: [{ ...link, extents }] }, out, ctx, options);
    expect((await readFile(copied.files[0]?.path ?? '')).equals(odd)).toBe(true);
    expect(copied.files[0]?.contentHash).toBe(contentHash(odd));
  });

  it('keeps holes and tells its progress', async () => {
    const content = Buffer.alloc(64 * MIB);
    content.fill('data', 40 * MIB, 40 * MIB + 100);
    const plan = await flatPlan(content);
    await copyDisk(shellFiles(shell), plan, out, ctx);
    const { blocks, size } = await stat(join(out, 'scsi0-0', 'web-flat.vmdk'));
    expect(size).toBe(content.length);
    expect(blocks * 512).toBeLessThan(MIB);
    const kinds = ctx.seen.map((event) => event.kind);
    expect(kinds[0]).toBe('bytes.started');
    expect(kinds.at(-1)).toBe('bytes.finished');
    const done = ctx.seen.flatMap((event) => (event.kind === 'bytes.progress' ? [event.done] : []));
    expect(done).toEqual(Array.from({ length: 16 }, (_, at) => (at + 1) * CHUNK_BYTES));
  });

  it('hashes a split disk as one, chunks across extents', async () => {
    const content = patterned(9 * MIB, 'split');
    await writeSplit(vm, 'split', content, [3 * MIB, 512, 5 * MIB, MIB - 512]);
    expect((await copyDisk(shellFiles(shell), await planOf('split.vmdk'), out, ctx, options)).contentHash).toBe(
      contentHash(content),
    );
    const aligned = patterned(9 * MIB, 'aligned');
    await writeSplit(vm, 'aligned', aligned, [CHUNK_BYTES, CHUNK_BYTES, MIB]);
    const plan = { ...(await planOf('aligned.vmdk')), label: 'scsi0:1' };
    expect((await copyDisk(shellFiles(shell), plan, out, ctx, options)).contentHash).toBe(contentHash(aligned));
  });

  it('copies a chain whole, and names its files for this machine where it must', async () => {
    const golden = join(root, 'ds', 'golden');
    await mkdir(golden);
    const content = patterned(MIB, 'golden');
    const base = await writeFlat(golden, 'disk', content);
    const next = Buffer.from(content).fill(1, 0, 4096);
    await writeCowd(vm, 'disk', { ...base, descriptor: '/vmfs/volumes/5f1/golden/disk.vmdk' }, content, next);
    const copied = await copyDisk(shellFiles(shell), await planOf('[ds] golden/disk.vmdk', 'disk.vmdk'), out, ctx);
    expect(copied).toMatchObject({ kind: 'vmfs_sparse', contentHash: null, sha256: null });
    expect(basename(copied.descriptorPath)).toBe('disk~2.vmdk');
    const descriptor = parseDescriptor(await readFile(copied.descriptorPath));
    expect(descriptor).toMatchObject({ parentFileNameHint: 'disk.vmdk', extents: [{ fileName: 'disk-delta.vmdk' }] });
    expect(copied.files.map((file) => basename(file.path))).toEqual(['disk-flat.vmdk', 'disk-delta.vmdk']);
  });

  it('refuses a delta that was cut short on the host', async () => {
    const content = patterned(2 * MIB, 'base');
    const base = await writeFlat(vm, 'web', content);
    await writeCowd(vm, 'web-000001', base, content, patterned(2 * MIB, 'next'));
    const delta = join(vm, 'web-000001-delta.vmdk');
    await truncate(delta, (await stat(delta)).size - 512);
    const copied = copyDisk(shellFiles(shell), await planOf('web.vmdk', 'web-000001.vmdk'), out, ctx);
    await expect(copied).rejects.toMatchObject({
      code: 'disk.bad_descriptor',
      message: expect.stringMatching(/cut short/) as string,
    });
  });
});

async function flatPlan(content: Buffer): Promise<DiskPlan> {
  await writeFlat(vm, 'web', content);
  return planOf('web.vmdk');
}

describe('copyDisk, when the connection is bad', () => {
  const content = patterned(10 * MIB, 'retry');

  it('reads a range again that broke off, and no other', async () => {
    const plan = await flatPlan(content);
    shell.onStream = (_, number) => (number === 2 ? { cutAfter: 3 * MIB } : null);
    const copied = await copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 });
    expect(copied.contentHash).toBe(contentHash(content));
    expect(ddCommands()).toHaveLength(4);
    expect(ctx.seen.filter((event) => event.kind === 'retry')).toHaveLength(1);
    const last = ctx.seen.findLast((event) => event.kind === 'bytes.finished');
    expect(last).toMatchObject({ done: content.length, ok: true });
  });

  it('takes too few bytes for no end, whatever the status says', async () => {
    const plan = await flatPlan(content);
    shell.onStream = (_, number) => (number === 1 ? { shortAfter: MIB } : null);
    expect((await copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 })).contentHash).toBe(
      contentHash(content),
    );
    expect(ctx.seen.filter((event) => event.kind === 'retry')).toHaveLength(1);
  });

  it('takes nothing with another exit status, though all bytes came', async () => {
    const plan = await flatPlan(content);
    shell.before = 'dd() { command dd "$@"; echo "dd: error reading: Input/output error" >&2; return 1; }';
    await expect(copyDisk(shellFiles(shell), plan, out, ctx, options)).rejects.toMatchObject({
      code: 'esxi.read_failed',
      message: expect.stringContaining('Input/output error') as string,
    });
  });

  it('gives up after five tries, and goes on later with what was proved', async () => {
    const plan = await flatPlan(content);
    shell.onStream = (_, number) => (number > 1 ? { cutAfter: 1000 } : null);
    await expect(copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 })).rejects.toMatchObject({
      code: 'esxi.connection_lost',
    });
    expect(ddCommands()).toHaveLength(6);
    shell.onStream = () => null;
    const copied = await copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 });
    expect(copied.copiedBytes).toBe(content.length - CHUNK_BYTES);
    expect(copied.contentHash).toBe(contentHash(content));
  });

  it('does not try again what will not go away', async () => {
    const plan = await flatPlan(content);
    shell.before = `dd() { echo "dd: can't open 'x': Device or resource busy" >&2; return 1; }`;
    await expect(copyDisk(shellFiles(shell), plan, out, ctx, options)).rejects.toMatchObject({ code: 'disk.locked' });
    shell.before = `dd() { echo "dd: can't open 'x': No such file or directory" >&2; return 1; }`;
    await expect(copyDisk(shellFiles(shell), plan, out, ctx, options)).rejects.toMatchObject({ code: 'disk.missing' });
    expect(ctx.seen.filter((event) => event.kind === 'retry')).toHaveLength(0);
  });
});

describe('copyDisk goes on', () => {
  const content = patterned(5 * CHUNK_BYTES + 700 * 512, 'resume');

  it('after an interrupt at any chunk, copying only what was not proved', async () => {
    const plan = await flatPlan(content);
    for (let stopAt = 1; stopAt <= 5; stopAt++) {
      await rm(join(out, 'scsi0-0'), { recursive: true, force: true });
      const first = recordingContext();
      // With one stream, each has a chunk of its own.
      let opened = 0;
      shell.onStream = () => (opened++ === stopAt ? { at: { bytes: 100, run: () => first.stop() } } : null);
      await expect(copyDisk(shellFiles(shell), plan, out, first, { ...options, streams: 1 })).rejects.toMatchObject({
        code: 'interrupted',
      });
      shell.onStream = () => null;
      const copied = await copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 });
      expect(copied.copiedBytes).toBe(content.length - stopAt * CHUNK_BYTES);
      expect(copied.contentHash).toBe(contentHash(content));
    }
  });

  it('from what a process killed without warning has left, at any moment', async () => {
    const plan = await flatPlan(content);
    for (const [number, bytes] of [
      [1, 0],
      [2, 65_536],
      [4, CHUNK_BYTES],
      [6, 100],
    ] as const) {
      const [dead, first] = [await temp(), await temp()];
      // What lies on disk in the middle of a range is what such a process leaves.
      const counted = localShell(root);
      counted.onStream = (_, at) =>
        at === number ? { at: { bytes, run: () => cpSync(first, dead, { recursive: true }) } } : null;
      await copyDisk(shellFiles(counted), plan, first, ctx, { ...options, streams: 1 });
      const copied = await copyDisk(shellFiles(shell), plan, dead, ctx, { ...options, streams: 1 });
      expect(copied.contentHash).toBe(contentHash(content));
      expect(copied.copiedBytes).toBe(content.length - (number - 1) * CHUNK_BYTES);
    }
  });

  it('copies a complete file no second time, and only the chunks that no longer prove right', async () => {
    const plan = await flatPlan(content);
    await copyDisk(shellFiles(shell), plan, out, ctx, options);
    const again = await copyDisk(shellFiles(shell), plan, out, ctx, options);
    expect(again).toMatchObject({ copiedBytes: 0, contentHash: contentHash(content) });
    const file = join(out, 'scsi0-0', 'web-flat.vmdk');
    const spoilt = Buffer.from(content).fill('bad', CHUNK_BYTES + 5, CHUNK_BYTES + 500);
    await writeFile(file, spoilt);
    const mended = await copyDisk(shellFiles(shell), plan, out, ctx, options);
    expect(mended.copiedBytes).toBe(CHUNK_BYTES);
    expect((await readFile(file)).equals(content)).toBe(true);
  });

  it('clears what an unproved try has written where the disk has zeros', async () => {
    const disk = Buffer.alloc(2 * CHUNK_BYTES);
    const plan = await flatPlan(disk);
    await copyDisk(shellFiles(shell), plan, out, ctx, options);
    const file = join(out, 'scsi0-0', 'web-flat.vmdk');
    await writeFile(file, Buffer.alloc(disk.length, 7));
    expect((await copyDisk(shellFiles(shell), plan, out, ctx, options)).copiedBytes).toBe(disk.length);
    expect((await readFile(file)).equals(disk)).toBe(true);
  });

  it('starts over when the source has changed, and says so', async () => {
    await copyDisk(shellFiles(shell), await flatPlan(content), out, ctx, options);
    const other = patterned(content.length, 'other');
    await writeSparse(join(vm, 'web-flat.vmdk'), other);
    await utimes(join(vm, 'web-flat.vmdk'), 1_700_000_000, 1_700_000_000);
    const copied = await copyDisk(shellFiles(shell), await planOf('web.vmdk'), out, ctx, options);
    expect(copied).toMatchObject({ copiedBytes: content.length, contentHash: contentHash(other) });
    expect(ctx.seen).toContainEqual({ kind: 'notice', message: expect.stringMatching(/has changed/) as string });
  });

  it('takes a torn or spoilt proof for what it still proves', async () => {
    const plan = await flatPlan(content);
    await copyDisk(shellFiles(shell), plan, out, ctx, { ...options, streams: 1 });
    const proof = join(out, 'scsi0-0', '.web-flat.vmdk.proof');
    const text = await readFile(proof, 'utf8');
    await writeFile(proof, text.slice(0, -10));
    expect((await copyDisk(shellFiles(shell), plan, out, ctx, options)).copiedBytes).toBe(700 * 512);
    const lines = text.trimEnd().split('\n');
    await writeFile(proof, [lines[0], '99 x', `7777777 ${'0'.repeat(64)}`, '\0\0\0', lines[2]].join('\n'));
    expect((await copyDisk(shellFiles(shell), plan, out, ctx, options)).copiedBytes).toBe(content.length - CHUNK_BYTES);
  });

  it('writes over no file that is not its own', async () => {
    const plan = await flatPlan(content);
    await mkdir(join(out, 'scsi0-0'));
    await writeFile(join(out, 'scsi0-0', 'web-flat.vmdk'), 'mine');
    await expect(copyDisk(shellFiles(shell), plan, out, ctx, options)).rejects.toMatchObject({
      code: 'export.file_exists',
    });
    expect(await readFile(join(out, 'scsi0-0', 'web-flat.vmdk'), 'utf8')).toBe('mine');
    const other: Written = await writeFlat(join(root, 'ds'), 'web', patterned(MIB, 'another VM'));
    await rm(join(out, 'scsi0-0'), { recursive: true });
    await copyDisk(shellFiles(shell), plan, out, ctx, options);
    const second = await planOf(`[ds] ${other.descriptor}`);
    await expect(copyDisk(shellFiles(shell), second, out, ctx, options)).rejects.toMatchObject({
      code: 'export.file_exists',
    });
  });
});

/** A small file system takes root; where that is missing nothing is registered. */
const smallDisks = process.getuid?.() === 0 ? ['tmpfs'] : [];
describe.each(smallDisks)('copyDisk on a full disk (%s)', () => {
  it('names it before bytes move, or keeps what was proved until there is space', async () => {
    const small = join(out, 'small');
    await mkdir(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=10m', 'none', small]);
    try {
      const content = Buffer.alloc(16 * MIB, 'full');
      await writeFlat(vm, 'web', content);
      out = small;
      await expect(planOf('web.vmdk')).rejects.toMatchObject({ code: 'converter.space', exitCode: 3 });
      out = await temp();
      const plan = await planOf('web.vmdk');
      const copy = () => copyDisk(shellFiles(shell), plan, small, ctx, { ...options, streams: 1 });
      await expect(copy()).rejects.toMatchObject({ code: 'converter.space' });
      execFileSync('mount', ['-o', 'remount,size=32m', small]);
      expect(await copy()).toMatchObject({ copiedBytes: 8 * MIB, contentHash: contentHash(content) });
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
