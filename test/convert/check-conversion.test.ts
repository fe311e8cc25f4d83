import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkConversion, convertImage, type ConvertRequest } from '../../src/convert/index.js';
import { planConvertFile } from '../../src/migration/convert-file.js';
import { recordingContext, type RecordingContext } from '../support/recording-context.js';
import { tempFolders } from '../support/temp-folder.js';
import { patterned, writeFlat } from '../support/vmdk-files.js';

/** What a dry run says of a conversion: the errors that the conversion itself would end with, and nothing written. */

const temp = tempFolders();
let folder: string;
let ctx: RecordingContext;

beforeEach(async () => {
  folder = await temp();
  ctx = recordingContext();
  await writeFlat(folder, 'web', patterned(1024 * 1024, 'flat'));
});

const request = (more: Partial<ConvertRequest> = {}): ConvertRequest => ({
  source: join(folder, 'web.vmdk'),
  outputPath: join(folder, 'out', 'web.raw'),
  outputFormat: 'raw',
  ctx,
  ...more,
});

describe('checkConversion', () => {
  it('writes nothing, not even the folder', async () => {
    const before = await readdir(folder);
    expect(await checkConversion(request())).toEqual({ reused: false });
    expect(await readdir(folder)).toEqual(before);
  });

  it('knows what is there and proved, and leaves its note as it is', async () => {
    await convertImage(request());
    const before = await readdir(join(folder, 'out'));
    expect(await checkConversion(request({ sha256: true }))).toEqual({ reused: true });
    expect(await readdir(join(folder, 'out'))).toEqual(before);
    // The digest that the dry run had reckoned was not noted: the conversion reckons it itself.
    expect((await convertImage(request({ sha256: true }))).sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[string, () => Promise<Partial<ConvertRequest>>, string]>([
    ['a source that is not there', () => Promise.resolve({ source: join(folder, 'no.vmdk') }), 'disk.missing'],
    [
      'a source without its extent',
      async () => {
        await rm(join(folder, 'web-flat.vmdk'));
        return {};
      },
      'disk.missing',
    ],
    [
      'no image',
      async () => {
        await writeFile(join(folder, 'notes.txt'), 'hello');
        return { source: join(folder, 'notes.txt') };
      },
      'convert.unknown_format',
    ],
    ['an output that is the source', () => Promise.resolve({ outputPath: join(folder, 'web-flat.vmdk') }), 'usage'],
    [
      'an output that is not ours',
      async () => {
        await writeFile(join(folder, 'mine.raw'), 'mine');
        return { outputPath: join(folder, 'mine.raw') };
      },
      'convert.file_exists',
    ],
    ['compression of raw', () => Promise.resolve({ compress: true }), 'usage'],
  ])('refuses %s as the conversion does', async (_, prepare, code) => {
    const given = request(await prepare());
    await expect(checkConversion(given)).rejects.toMatchObject({ code });
    await expect(convertImage(given)).rejects.toMatchObject({ code });
  });
});

describe('planConvertFile', () => {
  const file = (more = {}) => ({
    file: join(folder, 'web.vmdk'),
    format: 'qcow2' as const,
    compress: false,
    sha256: false,
    force: false,
    ...more,
  });

  it('names what would be written', async () => {
    expect(await planConvertFile(ctx, file())).toEqual([
      {
        step: 'convert',
        service: 'local',
        method: 'WRITE',
        path: join(folder, 'web.qcow2'),
        body: `qcow2 image of ${join(folder, 'web.vmdk')}`,
      },
    ]);
  });

  it('refuses a place that cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    const place = planConvertFile(ctx, file({ outputDir: join(folder, 'file', 'below') }));
    await expect(place).rejects.toMatchObject({ code: 'file.unwritable' });
  });
});
