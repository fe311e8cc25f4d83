import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Context } from '../../../src/core/index.js';
import { readersFolder, type ReaderClaim } from '../../../src/migration/state/readers.js';
import { ReadingShare, rateOf } from '../../../src/migration/steps/share.js';
import { recordingContext } from '../../support/recording-context.js';
import { standingClock, temporaryFolders } from '../helpers.js';

const folder = temporaryFolders();
const MIB = 1024 ** 2;
const claim = (bandwidth: number | null = null, datastores: ReaderClaim['datastores'] = {}): ReaderClaim => ({
  bandwidth,
  datastores,
});

/** When a process was started, as the kernel names it. */
const startedAt = (pid: number) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
};

/** Lets a share look at its neighbours again. */
async function looksAgain(
  share: ReadingShare,
  clock: ReturnType<typeof standingClock>,
  streams: number,
): Promise<void> {
  await expect
    .poll(() => {
      clock.advance(2_000);
      return share.streams;
    })
    .toBe(streams);
}

function context(): { ctx: Context; clock: ReturnType<typeof standingClock> } {
  const clock = standingClock();
  return { ctx: { ...recordingContext(), clock }, clock };
}

describe('the share of a host', () => {
  it('is all of it for one reader, and is divided among those that there are', async () => {
    const dir = join(await folder(), 'readers', 'a');
    const { ctx, clock } = context();
    const first = await ReadingShare.take(ctx, dir, claim());
    expect(first.streams).toBe(8);
    const second = await ReadingShare.take(ctx, dir, claim());
    expect(second.streams).toBe(4);
    await looksAgain(first, clock, 4);
    const third = await ReadingShare.take(ctx, dir, claim());
    expect(third.streams).toBe(2);
    await second.leave();
    await third.leave();
    await third.leave();
    await looksAgain(first, clock, 8);
    await first.leave();
    expect(await readdir(dir)).toEqual([]);
  });

  it('leaves each of many readers one stream', async () => {
    const dir = join(await folder(), 'readers');
    const { ctx } = context();
    const shares = [];
    for (let count = 0; count < 9; count++) shares.push(await ReadingShare.take(ctx, dir, claim()));
    expect(shares.at(-1)?.streams).toBe(1);
    for (const share of shares) await share.leave();
  });

  it('counts a reader of another process until that is killed, whose place is then cleared', async () => {
    const dir = join(await folder(), 'readers');
    await mkdir(dir, { recursive: true });
    const other = spawn('sleep', ['600']);
    await once(other, 'spawn');
    const pid = other.pid ?? 0;
    const name = `${pid}.${startedAt(pid)}.0123abcd`;
    await writeFile(join(dir, name), JSON.stringify(claim(10 * MIB)));
    // An earlier process of that number, a name of another form, and what cannot be read.
    await writeFile(join(dir, `${pid}.1.0123abcd`), '{}');
    await writeFile(join(dir, 'note.txt'), '{}');
    const { ctx, clock } = context();
    const share = await ReadingShare.take(ctx, dir, claim());
    expect(share.streams).toBe(4);
    await writeFile(join(dir, name), 'no JSON');
    expect(await readdir(dir)).not.toContain(`${pid}.1.0123abcd`);
    clock.advance(2_000);
    expect(share.streams).toBe(4);
    other.kill('SIGKILL');
    await once(other, 'exit');
    await looksAgain(share, clock, 8);
    expect(await readdir(dir)).not.toContain(name);
    expect(await readdir(dir)).toContain('note.txt');
    await share.leave();
  });

  it('waits by its part of the limit, and by no limit when the one that had it has gone', async () => {
    const dir = join(await folder(), 'readers');
    const { ctx, clock } = context();
    const limited = await ReadingShare.take(ctx, dir, claim(2 * MIB));
    const share = await ReadingShare.take(ctx, dir, claim());
    const before = clock.now();
    await share.pace(MIB);
    // A second for a MiB, save for the burst that passes at once.
    expect(clock.now() - before).toBeGreaterThanOrEqual(950);
    await limited.leave();
    await looksAgain(share, clock, 8);
    expect(share.pace(1024 * MIB)).toBeUndefined();
    await share.leave();
  });

  it('says so where the folder cannot be written to', async () => {
    const file = join(await folder(), 'file');
    await writeFile(file, '');
    await expect(ReadingShare.take(context().ctx, join(file, 'x'), claim())).rejects.toMatchObject({
      code: 'state.unusable',
    });
  });
});

describe('the rate of a share', () => {
  it.each<[string, ReaderClaim, ReaderClaim[], number | null]>([
    ['nobody has a limit', claim(), [claim()], null],
    ['its own', claim(100), [], 100],
    ['divided', claim(100), [claim(100)], 50],
    ['the smallest counts', claim(100), [claim(60), claim()], 20],
    ['of its datastore alone', claim(null, { a: 30 }), [claim(null, { b: 5 })], 30],
    ['of a datastore with another reader', claim(null, { a: null }), [claim(null, { a: 30 }), claim()], 15],
    ['the smaller of both kinds', claim(100, { a: 90 }), [claim(100)], 50],
    ['several datastores', claim(null, { a: 90, b: 20 }), [], 20],
    ['a name of every object', claim(null, { a: 90 }), [claim(null, { toString: 1 })], 90],
  ])('%s', (_, own, others, rate) => {
    expect(rateOf(own, others)).toBe(rate);
  });
});

describe('the folder of a host', () => {
  it('is the same for every spelling of its name, and another for another port', () => {
    const of = (host: string, port = 22) => readersFolder('/state', { host, port });
    expect(of('ESX1')).toBe(of('esx1'));
    expect(of('esx1')).not.toBe(of('esx1', 2022));
    expect(of('../../x')).toMatch(/^\/state\/readers\/[0-9a-f]{16}$/);
  });
});
