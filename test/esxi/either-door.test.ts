import { describe, expect, it } from 'vitest';
import { GIB, MIB, StackferryError } from '../../src/core/index.js';
import type { FolderDisks } from '../../src/esxi/api-disks.js';
import { openEitherDoor, type HostDoors } from '../../src/esxi/either-door.js';
import type { DiskDoor, EsxiHost, SourceDisks } from '../../src/esxi/index.js';
import type { DiskRecord } from '../../src/esxi/inventory/schema.js';
import { recordingContext } from '../support/recording-context.js';

type Options = Parameters<DiskDoor['plan']>[3];
const VM = { id: '16', name: 'web01' };
const CHAIN = ['[ds1] web01/web01.vmdk'];
const DISK: DiskRecord = {
  label: 'scsi0:0',
  controller: 'pvscsi',
  path: '[ds1] web01/web01.vmdk',
  capacity_bytes: 10 * GIB,
  allocated_bytes: null,
  kind: 'flat',
  mode: 'persistent',
  shared: false,
  chain: CHAIN,
};

function planned(door: 'ssh' | 'https', allocatedBytes: number | null = null): SourceDisks {
  return { disks: [], bytes: 10 * GIB, allocatedBytes, door, recheck: () => Promise.resolve() };
}

/** Doors whose rates are given in MiB a second; `calls` has what was done with them. */
function doorsOf(of: { ssh?: number; https?: number; held?: number | null; plan?: unknown }) {
  const calls: string[] = [];
  const rate = (door: string, mibs: number | undefined) => (path: string, mebibytes: number) => {
    calls.push(`${door} reads ${path}`);
    if (mibs === undefined) return Promise.reject(new StackferryError('esxi.read_failed', 'no'));
    return Promise.resolve({ bytes: mebibytes * MIB, seconds: mebibytes / mibs });
  };
  const host = {
    name: 'root@esx1:22',
    disks: { plan: () => Promise.resolve(planned('ssh', of.held ?? null)) },
    readRate: rate('ssh', of.ssh),
    close: () => Promise.resolve(void calls.push('ssh closed')),
  } as unknown as EsxiHost;
  const files: FolderDisks = {
    plan: () => {
      calls.push('https plans');
      return of.plan instanceof Error ? Promise.reject(of.plan) : Promise.resolve(planned('https'));
    },
    readRate: rate('https', of.https),
    close: () => void calls.push('https closed'),
  };
  const doors: HostDoors = {
    ssh: () => Promise.resolve(host),
    api: () => Promise.reject(new Error('the API is not tried while SSH is open')),
    files: () => {
      calls.push('https opened');
      return Promise.resolve(files);
    },
  };
  return { doors, calls };
}

async function read(doors: HostDoors, options: Partial<Options> = {}, records = [DISK]) {
  const ctx = recordingContext();
  const host = await openEitherDoor(doors, ctx);
  const { door } = await host.disks.plan(VM, records, ctx, { outputDir: null, ...options });
  await host.close();
  const notices = ctx.seen.flatMap((event) => (event.kind === 'notice' ? [event.message] : []));
  return { door, notices };
}

describe('both doors open', () => {
  it('reads over HTTPS what is read there sooner, and says why in one line', async () => {
    const { doors, calls } = doorsOf({ ssh: 20, https: 100 });
    const { door, notices } = await read(doors);
    expect(door).toBe('https');
    expect(notices).toEqual([
      'web01 is read over HTTPS (100 MiB/s for 10 GiB, about 1 min 42 s), not over SSH (20 MiB/s for 10 GiB, about 8 min 32 s): measured on one connection each.',
    ]);
    expect(calls).toEqual([
      'https opened',
      'https reads [ds1] web01/web01-flat.vmdk',
      'ssh reads [ds1] web01/web01-flat.vmdk',
      'https plans',
      'https closed',
      'ssh closed',
    ]);
  });

  it.each([
    ['only what is held is read over SSH', { ssh: 20, https: 100, held: GIB }],
    ['HTTPS is hardly quicker', { ssh: 90, https: 100 }],
    ['SSH is quicker', { ssh: 200, https: 40 }],
  ])('stays with SSH where %s, and says so', async (_, of) => {
    const { doors, calls } = doorsOf(of);
    const { door, notices } = await read(doors);
    expect(door).toBe('ssh');
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/^web01 is read over SSH \(.*\), not over HTTPS/);
    expect(calls).not.toContain('https plans');
  });

  it('measures a host once', async () => {
    const { doors, calls } = doorsOf({ ssh: 20, https: 100 });
    const ctx = recordingContext();
    const host = await openEitherDoor(doors, ctx);
    for (const name of ['web01', 'web02']) await host.disks.plan({ ...VM, name }, [DISK], ctx, { outputDir: null });
    expect(calls.filter((call) => call.includes('reads'))).toHaveLength(2);
  });

  it.each<[string, Parameters<typeof doorsOf>[0], DiskRecord[]]>([
    ['the files may not be read over HTTPS', { ssh: 20 }, [DISK]],
    ['no disk is a plain file', { ssh: 20, https: 100 }, [{ ...DISK, kind: 'se_sparse' }]],
    ['little is to be read', { ssh: 1, https: 1000, held: MIB }, [DISK]],
    ['HTTPS does not find a file', { ssh: 20, https: 100, plan: new StackferryError('disk.missing', 'no') }, [DISK]],
  ])('stays with SSH where %s', async (_, of, records) => {
    expect((await read(doorsOf(of).doors, {}, records)).door).toBe('ssh');
  });

  it('stays with SSH, without a word, where HTTPS cannot be had quietly', async () => {
    const { doors } = doorsOf({ ssh: 20, https: 100 });
    expect(await read({ ...doors, files: () => Promise.resolve(null) })).toEqual({ door: 'ssh', notices: [] });
    const away = () => Promise.reject(new StackferryError('esxi.unreachable', 'no'));
    expect(await read({ ...doors, files: away })).toEqual({ door: 'ssh', notices: [] });
  });

  it('goes on by the door that a run has begun with', async () => {
    for (const door of ['ssh', 'https'] as const) {
      const { doors, calls } = doorsOf({ ssh: 200, https: 200 });
      expect((await read(doors, { door })).door).toBe(door);
      expect(calls.filter((call) => call.includes('reads'))).toEqual([]);
    }
    const { doors } = doorsOf({ plan: new StackferryError('esxi.no_permission', 'no') });
    expect((await read(doors, { door: 'https' })).door).toBe('ssh');
  });

  it('stops when it is interrupted', async () => {
    const { doors } = doorsOf({ ssh: 20, https: 100 });
    const ctx = recordingContext();
    const host = await openEitherDoor(
      {
        ...doors,
        files: () => {
          ctx.stop();
          return Promise.reject(new Error('aborted'));
        },
      },
      ctx,
    );
    await expect(host.disks.plan(VM, [DISK], ctx, { outputDir: null })).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('SSH closed', () => {
  const closed = new StackferryError('host.no_ssh', 'esx1 refuses connections on port 22.', { hint: 'Turn SSH on.' });
  const api = { name: 'root@esx1:443' } as EsxiHost;
  const without = (error: Error, opened: HostDoors['api']): HostDoors => ({
    ssh: () => Promise.reject(error),
    api: opened,
    files: () => Promise.reject(new Error('no files beside a closed door')),
  });

  it.each(['host.no_ssh', 'esxi.unreachable', 'esxi.login_refused', 'esxi.exec_refused'])(
    'takes the API for %s, and says why in one line',
    async (code) => {
      const ctx = recordingContext();
      const doors = without(new StackferryError(code, 'Because.'), () => Promise.resolve(api));
      expect(await openEitherDoor(doors, ctx)).toBe(api);
      expect(ctx.seen).toEqual([{ kind: 'notice', message: 'root@esx1:443 is read by its API (https): Because.' }]);
    },
  );

  it.each(['esxi.host_key_changed', 'esxi.host_key_unknown', 'esxi.name_unknown', 'interrupted'])(
    'does not go around %s',
    async (code) => {
      const doors = without(new StackferryError(code, 'Because.'), () => Promise.resolve(api));
      await expect(openEitherDoor(doors, recordingContext())).rejects.toMatchObject({ code });
    },
  );

  it('goes by the API where the pin is that of its certificate and the host key is not known', async () => {
    const doors = without(new StackferryError('esxi.host_key_unknown', 'Because.'), () => Promise.resolve(api));
    expect(await openEitherDoor(doors, recordingContext(), ['esxi.host_key_unknown'])).toBe(api);
  });

  it('says what SSH said where nothing answers, and both where the API refuses', async () => {
    const away = () => Promise.reject(new StackferryError('esxi.unreachable', 'Nothing there.'));
    await expect(openEitherDoor(without(closed, away), recordingContext())).rejects.toBe(closed);
    const refusing = () => Promise.reject(new StackferryError('esxi.certificate', 'It is not trusted.'));
    await expect(openEitherDoor(without(closed, refusing), recordingContext())).rejects.toMatchObject({
      code: 'host.no_ssh',
      message: closed.message,
      hint: 'Turn SSH on. Its API was tried, too: It is not trusted.',
    });
  });
});
