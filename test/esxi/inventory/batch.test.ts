import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  FILE_STATUS,
  inChunks,
  parseFrames,
  runOnFiles,
  runScript,
  scriptsOf,
} from '../../../src/esxi/inventory/batch.js';
import { StackferryError } from '../../../src/core/index.js';
import { DS1, FakeHost } from '../harness.js';

describe('frames', () => {
  const host = new FakeHost();
  afterAll(() => host.remove());
  const at = (name: string) => `/vmfs/volumes/${DS1.uuid}/${name}`;

  it('carry any content: what looks like a frame is content', async () => {
    const nasty = [
      '@0',
      '@1\n|x\n|0',
      '|',
      '|0',
      '',
      '\n',
      '\n\n0\n',
      'a\r\n@0\n|\n|0\n',
      '\xff\xfe@',
      "'; echo @0; '",
      // busybox's sed begins a line at a NUL, too.
      '\0',
      'a\0\0|b\0\n\0',
      '\0|\0|',
    ];
    const contents = [...nasty, ...fc.sample(fc.uint8Array({ maxLength: 300 }), { numRuns: 20, seed: 7 })].map((item) =>
      Buffer.from(item as string, 'latin1'),
    );
    contents.forEach((content, i) => host.file(`${DS1.uuid}/f/${i}`, content));
    const frames = await runOnFiles(
      host.shell(),
      'l',
      contents.map((_, i) => at(`f/${i}`)),
    );
    expect(frames.size).toBe(contents.length);
    contents.forEach((content, i) => {
      const frame = frames.get(at(`f/${i}`));
      expect(frame?.status).toBe(0);
      expect(frame?.content.toString('hex')).toBe(content.toString('hex'));
    });
  });

  it('tell what is missing, no file, or a link, and cut what is too long', async () => {
    host.file(`${DS1.uuid}/g/long`, Buffer.alloc(200_000, 'a'));
    host.file(`${DS1.uuid}/g/folder/x`, 'x');
    host.link(`${DS1.uuid}/g/link`, 'long');
    host.link(`${DS1.uuid}/g/dangling`, 'nowhere');
    const frames = await runOnFiles(
      host.shell(),
      'l',
      ['long', 'folder', 'link', 'dangling', 'none'].map((name) => at(`g/${name}`)),
      2,
    );
    const status = (name: string) => frames.get(at(`g/${name}`))?.status;
    expect(status('folder')).toBe(FILE_STATUS.notAFile);
    expect(status('link')).toBe(FILE_STATUS.symlink);
    expect(status('dangling')).toBe(FILE_STATUS.symlink);
    expect(status('none')).toBe(FILE_STATUS.missing);
    expect(frames.get(at('g/long'))?.content.length).toBe(128 * 1024);
  });

  it('keep the output and status of commands, both streams', async () => {
    const [script = ''] = scriptsOf([
      "g one sh -c 'echo out; echo err >&2; exit 7'",
      'g two printf no-newline',
      'g three no-such-program',
    ]);
    const { frames } = await runScript(host.shell(), script, 1000);
    expect(frames.get('one')).toMatchObject({ status: 7 });
    expect(frames.get('one')?.content.toString()).toContain('out\n');
    expect(frames.get('one')?.content.toString()).toContain('err\n');
    expect(frames.get('two')).toEqual({ status: 0, content: Buffer.from('no-newline') });
    expect(frames.get('three')).toMatchObject({ status: 127 });
  });

  it('that were cut off are not there', () => {
    expect(parseFrames(Buffer.from('@a\n|x\n|\n|0\n@b\n|half')).size).toBe(1);
    expect(parseFrames(Buffer.from('@a\n|0')).size).toBe(0);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseFrames(Buffer.from(bytes))));
  });
});

describe('scripts', () => {
  it('stay below the limit, and enter the folder again in each', () => {
    const lines = Array.from({ length: 900 }, (_, i) => ({
      folder: i < 450 ? '/a' : "/b'",
      text: `l ${i} "$d"/'${'x'.repeat(80)}' 1`,
    }));
    const scripts = scriptsOf(lines);
    expect(scripts.length).toBeGreaterThan(2);
    for (const script of scripts) {
      expect(Buffer.byteLength(script)).toBeLessThanOrEqual(32 * 1024);
      expect(script.indexOf('\nd=')).toBeGreaterThan(0);
      expect(script.indexOf('\nd=')).toBeLessThan(script.indexOf('\nl '));
    }
    expect(scripts.join('').match(/^l \d+ /gm)).toHaveLength(900);
  });
});

describe('chunks', () => {
  it('are halved around an item that hangs', async () => {
    const done: number[] = [];
    const hung: number[] = [];
    await inChunks(
      Array.from({ length: 30 }, (_, i) => i),
      10,
      (chunk) => {
        if (chunk.includes(17)) return Promise.reject(new StackferryError('esxi.command_timeout', 'x'));
        done.push(...chunk);
        return Promise.resolve();
      },
      (item) => hung.push(item),
    );
    expect(hung).toEqual([17]);
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i).filter((i) => i !== 17));
  });

  it('pass other errors on', async () => {
    const fails = () => Promise.reject(new StackferryError('esxi.connection_lost', 'x'));
    await expect(inChunks([1, 2], 1, fails, () => undefined)).rejects.toMatchObject({ code: 'esxi.connection_lost' });
  });
});
