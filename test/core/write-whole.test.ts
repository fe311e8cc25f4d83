import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeWhole } from '../../src/core/index.js';

let dir: string;
let file: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-whole-'));
  file = join(dir, 'plan.yaml');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

it('writes a new file, and over one that is there, whose mode stays', async () => {
  await writeWhole(file, 'one');
  expect(await readFile(file, 'utf8')).toBe('one');
  const usual = join(dir, 'usual');
  await writeFile(usual, '');
  expect(await modeOf(file)).toBe(await modeOf(usual));
  await rm(usual);
  await chmod(file, 0o662); // more than a umask leaves
  await writeWhole(file, 'two');
  expect(await readFile(file, 'utf8')).toBe('two');
  expect(await modeOf(file)).toBe(0o662);
  await writeWhole(file, 'three', { mode: 0o600 });
  expect(await modeOf(file)).toBe(0o600);
  expect(await readdir(dir)).toEqual(['plan.yaml']);
});

it('leaves what is there where it must not be replaced', async () => {
  await writeWhole(file, 'one', { replace: false });
  await expect(writeWhole(file, 'two', { replace: false })).rejects.toMatchObject({ code: 'EEXIST' });
  const dangling = join(dir, 'link');
  await symlink(join(dir, 'nowhere'), dangling);
  await expect(writeWhole(dangling, 'two', { replace: false })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(await readFile(file, 'utf8')).toBe('one');
  expect((await readdir(dir)).sort()).toEqual(['link', 'plan.yaml']);
});

it('writes what a link points to, and keeps the link', async () => {
  const other = await mkdtemp(join(tmpdir(), 'stackferry-whole-'));
  try {
    await writeFile(join(other, 'real.yaml'), 'one');
    await symlink(join(other, 'real.yaml'), file);
    await writeWhole(file, 'two');
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(other, 'real.yaml'), 'utf8')).toBe('two');
    expect(await readdir(other)).toEqual(['real.yaml']);
  } finally {
    await rm(other, { recursive: true, force: true });
  }
});

it('leaves nothing behind where it fails', async () => {
  await mkdir(file);
  await expect(writeWhole(file, 'one')).rejects.toMatchObject({ code: 'EISDIR' });
  await expect(writeWhole(join(dir, 'none', 'x'), 'one')).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await readdir(dir)).toEqual(['plan.yaml']);
});

it('is read as the old or the new text by one who looks all the while, and ends with the last of many writers', async () => {
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
  await writeWhole(file, texts[0] ?? '');
  const seen = new Set<string>();
  let writing = true;
  const reading = (async () => {
    while (writing) seen.add(await readFile(file, 'utf8'));
  })();
  await Promise.all(texts.map((text) => writeWhole(file, text)));
  writing = false;
  await reading;
  for (const text of seen) expect(texts.includes(text)).toBe(true);
  expect(texts).toContain(await readFile(file, 'utf8'));
  expect(await readdir(dir)).toEqual(['plan.yaml']);
});
