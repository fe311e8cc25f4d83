import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absolutePath } from '../../../src/esxi/index.js';
import { DatastorePaths, parseVolumeLinks } from '../../../src/esxi/inventory/paths.js';

const record = (name: string, uuid: string) => ({ name, uuid, type: 'VMFS-6', capacity_bytes: 1, free_bytes: 1 });
const paths = new DatastorePaths([record('data (1)', 'u-1'), record('größe', 'u-2')], new Map([['linked', 'u-3']]));
const folder = '/vmfs/volumes/u-1/web';

describe('paths', () => {
  it.each([
    ['a.vmdk', '[data (1)] web/a.vmdk'],
    ['sub/./a.vmdk', '[data (1)] web/sub/a.vmdk'],
    ['../other//a.vmdk', '[data (1)] other/a.vmdk'],
    ['/vmfs/volumes/u-2/x/a.vmdk', '[größe] x/a.vmdk'],
    ['/vmfs/volumes/größe/x/a.vmdk', '[größe] x/a.vmdk'],
    ['/vmfs/volumes/linked/a.vmdk', '[linked] a.vmdk'],
    ['/vmfs/volumes/unknown/a.vmdk', '[unknown] a.vmdk'],
    ['[größe] x/a.vmdk', '[größe] x/a.vmdk'],
    ['[] /vmfs/volumes/u-2/a.vmdk', '[größe] a.vmdk'],
    ['[no label] a.vmdk', '[data (1)] web/[no label] a.vmdk'],
    ['-rf.vmdk', '[data (1)] web/-rf.vmdk'],
  ])('%s', (written, expected) => {
    expect(paths.toDatastore(paths.resolve(written, folder) ?? '')).toBe(expected);
  });

  it.each([
    '',
    '/etc/passwd',
    '/vmfs/devices/disks/x',
    '/vmfs/volumes',
    '/vmfs/volumes/u-1',
    '../../..',
    '../../u-2/x',
    '/vmfs/volumes/u-1/../../../etc/x',
    '[] x',
    'a\0b',
  ])('refuses %j', (written) => {
    expect(paths.resolve(written, folder)).toBeNull();
  });

  it('never leave the datastores', () => {
    const part = fc.constantFrom('..', '.', '', 'a', '[x] b', 'vmfs', 'volumes', 'u-1', 'größe');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.boolean(), (parts, rooted) => {
        const path = paths.resolve((rooted ? '/vmfs/volumes/' : '') + parts.join('/'), folder);
        if (path !== null) expect(path).toMatch(/^\/vmfs\/volumes\/(?!\.{1,2}\/)[^/]+\/(?!.*(^|\/)\.{0,2}(\/|$))./);
      }),
    );
  });

  it('go there and back', () => {
    const word = fc.stringMatching(/^[^/\0\]]{1,8}$/u).filter((text) => !/^\.{1,2}$/.test(text));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), (parts) => {
        const written = `[größe] ${parts.join('/')}`;
        expect(paths.toDatastore(paths.resolve(written, null) ?? '')).toBe(written);
      }),
    );
  });

  it('give the shell a path', () => {
    expect(absolutePath('[data (1)] web 01/x.vmdk')).toBe('/vmfs/volumes/data (1)/web 01/x.vmdk');
    expect(absolutePath('web/x.vmdk')).toBeNull();
    expect(absolutePath('[a] ../../etc/passwd')).toBeNull();
  });

  it('reads the labels of ls -l', () => {
    const text = [
      'total 2308',
      'drwxr-xr-x    1 root     root             8 Jan  1  1970 fba38b96-3245ef28-c891-f1701f542928',
      'lrwxr-xr-x    1 root     root            35 Nov 25 02:00 data -> store (1) -> 5e0026d9-a647150e-d8a8-4cedfb76e9d5',
      'lrwxr-xr-x    1 root     root            17 Nov 25 02:00 nfs -> 2707af93-17b6f4d4',
    ].join('\n');
    expect([...parseVolumeLinks(text)]).toEqual([
      ['data -> store (1)', '5e0026d9-a647150e-d8a8-4cedfb76e9d5'],
      ['nfs', '2707af93-17b6f4d4'],
    ]);
  });
});
