import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocalBytes } from '../../src/disk/index.js';
import { tempFolders } from '../support/temp-folder.js';

const temp = tempFolders();

describe('LocalBytes', () => {
  it('reads exactly what is asked for', async () => {
    const path = join(await temp(), 'f');
    await writeFile(path, 'abcdefgh');
    const file = await LocalBytes.open(path);
    expect([file.name, file.bytes]).toEqual([path, 8]);
    const parts = await Promise.all([file.read(0, 3), file.read(5, 3), file.read(8, 0)]);
    expect(parts.map(String)).toEqual(['abc', 'fgh', '']);
    await file.close();
  });

  it('says where a file ends that should go on', async () => {
    const path = join(await temp(), 'f');
    await writeFile(path, 'abcdefgh');
    const file = await LocalBytes.open(path);
    await expect(file.read(6, 3)).rejects.toMatchObject({
      code: 'disk.short_file',
      message: `${path} ends after 8 bytes; 9 were expected.`,
    });
    await truncate(path, 2);
    await expect(file.read(4, 2)).rejects.toThrow(/ends after 2 bytes|ends after 4 bytes/);
    await file.close();
    await expect(file.read(0, 1)).rejects.toMatchObject({ code: 'file.unreadable' });
  });

  it('opens regular files only', async () => {
    const folder = await temp();
    await expect(LocalBytes.open(folder)).rejects.toMatchObject({ code: 'file.unreadable' });
    await expect(LocalBytes.open(join(folder, 'none'))).rejects.toMatchObject({ code: 'file.unreadable' });
    await expect(LocalBytes.open('/dev/null')).rejects.toThrow(/no regular file/);
  });
});
