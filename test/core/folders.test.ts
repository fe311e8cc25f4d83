import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolders } from '../../src/core/index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-folders-'));
  await writeFile(join(dir, 'file'), '');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('makeFolders', () => {
  it('makes what is missing, several at once, and leaves what is there', async () => {
    const deep = join(dir, 'a/b/c');
    await Promise.all([makeFolders(deep, 0o700), makeFolders(join(dir, 'a/b/d'), 0o700), makeFolders(deep, 0o700)]);
    await makeFolders(join(dir, 'a'));
    expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o700);
    expect((await stat(deep)).isDirectory()).toBe(true);
  });

  it.each(['/proc/stackferry', '/proc/stackferry/a/b'])('ends at %s, where none can be made', async (path) => {
    await expect(makeFolders(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes no file for a folder', async () => {
    await expect(makeFolders(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolders(join(dir, 'file/a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
