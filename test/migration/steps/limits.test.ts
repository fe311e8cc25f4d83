import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/commands/options/run.js';
import { assertLimited, readingWords } from '../../../src/migration/steps/limits.js';

const MIB = 1024 ** 2;
const usage = expect.objectContaining({ code: 'usage', hint: expect.any(String) as string }) as Error;

describe('--bandwidth', () => {
  it('is of the host, of datastores, or of both; split at the last =', () => {
    const { bandwidth } = readSettings({ bandwidth: ['200MiB/s', 'a=b=80MiB/s', '__proto__=8Mbit/s'] });
    expect(bandwidth.host).toBe(200 * MIB);
    expect(Object.entries(bandwidth.datastores)).toEqual([
      ['a=b', 80 * MIB],
      ['__proto__', 1e6],
    ]);
  });

  it.each([[['1MiB', '2MiB']], [['a=1MiB', 'a=2MiB']], [['=1MiB']], [['a=']], [['a=b']], [['0']]])(
    'refuses %j',
    (bandwidth) => {
      expect(() => readSettings({ bandwidth })).toThrow(usage);
    },
  );

  it('names a datastore that a moving disk or one of its bases lies on', () => {
    const disks = [{ path: '[ds 1] a/a-000001.vmdk', chain: ['[base] b/b.vmdk', '[ds 1] a/a-000001.vmdk'] }];
    const limits = (name: string) => ({ host: null, datastores: { [name]: 1 } });
    expect(() => assertLimited(limits('ds 1'), disks)).not.toThrow();
    expect(() => assertLimited(limits('base'), disks)).not.toThrow();
    expect(() => assertLimited(limits('ds'), disks)).toThrow(usage);
    expect(() => assertLimited(limits('ds'), [{ path: null, chain: [] }])).toThrow(/no disk that moves/);
  });
});

describe('--low-priority', () => {
  it('is one stream, and refuses more', () => {
    expect(readSettings({ lowPriority: true })).toMatchObject({ streams: 1, lowPriority: true });
    expect(readSettings({ lowPriority: true, streams: 1 }).streams).toBe(1);
    expect(() => readSettings({ lowPriority: true, streams: 2 })).toThrow(usage);
  });
});

describe('the words for how the host is read', () => {
  it('are none where nothing is asked for', () => {
    expect(readingWords(readSettings({}))).toBeNull();
  });

  it('say all that is asked for', () => {
    expect(readingWords(readSettings({ streams: 3, bandwidth: ['80MiB', 'nas=1MiB'] }))).toBe(
      '3 stream(s), at most 80 MiB/s from the host, at most 1 MiB/s from datastore nas',
    );
    expect(readingWords(readSettings({ lowPriority: true }))).toContain('nice 19');
  });
});
