import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { StackferryEvent } from '../../../src/core/index.js';
import { MeasuredTimes } from '../../../src/migration/measured/store.js';
import { temporaryFolders } from '../helpers.js';
import { sample } from './sample.js';

const folder = temporaryFolders();
const here = { auth_url: 'https://keystone.example/v3', region: 'RegionOne' };

function listening() {
  const told: string[] = [];
  const events = {
    emit: (event: StackferryEvent) => {
      if (event.kind === 'notice') told.push(event.message);
    },
    ask: () => Promise.reject(new Error('nobody answers')),
  };
  return { told, ctx: { events, log: { debug: (message: string) => void told.push(`debug ${message}`) } } };
}

async function newFile() {
  const path = join(await folder(), 'measured.json');
  return { path, times: new MeasuredTimes(path) };
}

it('remembers samples of some size, for the owner alone, and gives those of a cloud', async () => {
  const { path, times } = await newFile();
  const { ctx, told } = listening();
  expect(await times.of(here)).toEqual([]);
  await times.add(sample({ auth_url: 'https://user:secret@keystone.example/v3' }), ctx);
  await times.add(sample({ image_bytes: 100 }), ctx);
  await times.add(sample({ volume_seconds: -3600 }), ctx);
  await times.add(sample({ region: 'Elsewhere' }), ctx);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).not.toContain('secret');
  expect(await times.of(here)).toEqual([sample({ auth_url: 'https://keystone.example' })]);
  expect(told).toEqual([]);
});

it.each(['{ "version": 1, "samples": [{ "at"', '{"version":1,"samples":[{"format":"vmdk"}]}', '[]', ''])(
  'puts a damaged file aside and goes on: %s',
  async (text) => {
    const { path, times } = await newFile();
    const { ctx, told } = listening();
    await writeFile(path, text);
    expect(await times.of(here)).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe(text);
    await times.add(sample(), ctx);
    expect(await times.of(here)).toHaveLength(1);
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text);
    expect(told).toEqual([`${path} holds no measured times that can be read; it is put aside as ${path}.damaged.`]);
  },
);

it('leaves the file of a newer program, and what cannot be read, as it is', async () => {
  const { path, times } = await newFile();
  const { ctx, told } = listening();
  const newer = '{"version":2,"samples":"other"}';
  await writeFile(path, newer);
  await times.add(sample(), ctx);
  expect(await times.of(here)).toEqual([]);
  expect(await readFile(path, 'utf8')).toBe(newer);
  const folderThere = await newFile();
  await mkdir(folderThere.path);
  await folderThere.times.add(sample(), ctx);
  expect(await folderThere.times.of(here)).toEqual([]);
  expect(told).toEqual([]);
});

it('costs a migration nothing where it cannot be written', async () => {
  const { ctx, told } = listening();
  await new MeasuredTimes(join(await folder(), 'gone', 'measured.json')).add(sample(), ctx);
  expect(told).toEqual([expect.stringMatching(/^debug what was measured is not remembered: /)]);
});

it('loses nothing of what one process adds at once, and stays whole where several do', async () => {
  const { path, times } = await newFile();
  const { ctx } = listening();
  const adding = ['a', 'b', 'c', 'd', 'e'].map((type) => times.add(sample({ volume_type: type }), ctx));
  await Promise.all(adding);
  expect(await times.of(here)).toHaveLength(5);
  const others = ['x', 'y', 'z'].map((type) => {
    const child = fork(new URL('./adder.ts', import.meta.url), [path, type], { execArgv: ['--import', 'tsx'] });
    return once(child, 'exit');
  });
  for (const [code] of (await Promise.all(others)) as [number][]) expect(code).toBe(0);
  const types = new Set((await times.of(here)).map(({ volume_type: type }) => type));
  expect(['a', 'b', 'c', 'd', 'e'].every((type) => types.has(type))).toBe(true);
  expect((await readdir(join(path, '..'))).sort()).toEqual(['measured.json']);
});
