import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { verifyFiles } from '../../../src/migration/verify/index.js';
import { recordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';

const newFolder = tempFolders();

it('compares a qcow2 with a flat file, whose format is said', async () => {
  const folder = await newFolder();
  const [flat, image] = [join(folder, 'web-flat.vmdk'), join(folder, 'web.qcow2')];
  const content = randomBytes(5 * 1024 ** 2);
  await writeFile(flat, content);
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', flat, image]);
  const look = async (format?: 'raw') => {
    const against = { kind: 'file', path: flat, ...(format && { format }) } as const;
    return (await verifyFiles(recordingContext(), [image], { against }))[0];
  };
  expect(await look('raw')).toMatchObject({ state: 'equal' });
  expect(await look()).toMatchObject({ state: 'failed', code: 'disk.bad_descriptor' });
  content[7] = (content[7] ?? 0) ^ 1;
  await writeFile(flat, content);
  expect(await look('raw')).toMatchObject({ state: 'differs', first_difference: { offset_bytes: 0 } });
});
