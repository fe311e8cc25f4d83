import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { lockHolder, lockRun } from '../../../src/migration/state/lock.js';
import { temporaryFolders } from '../helpers.js';

const folder = temporaryFolders();
const program = fileURLToPath(new URL('lock-holder.ts', import.meta.url));
/** Above the largest process id of Linux (2^22), so it is never anybody's. */
const NOBODY = 2 ** 22 + 1;
const children = new Set<ChildProcess>();

interface Holder {
  child: ChildProcess;
  /** Gives it a line and waits for what it says. */
  told: (word: 'take' | 'drop') => Promise<string | undefined>;
}

async function start(path: string): Promise<Holder> {
  const args = ['--import', 'tsx', program, path, 'r7'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string | undefined;
  expect(await next()).toBe('ready');
  return {
    child,
    told: (word) => {
      child.stdin.write(`${word}\n`);
      return next();
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

afterEach(async () => {
  for (const child of [...children]) {
    child.kill('SIGKILL');
    await ended(child);
  }
});

describe('the lock of a run', () => {
  it('is held by one process, and free again when that lets go', async () => {
    const path = join(await folder(), 'lock');
    const { child, told } = await start(path);
    expect(await told('take')).toBe('held');
    expect(await lockHolder(path)).toBe(child.pid);
    await expect(lockRun(path, 'r7')).rejects.toMatchObject({
      code: 'run.locked',
      details: { pid: child.pid },
      hint: expect.stringContaining(`kill -INT ${child.pid ?? 0}`) as string,
    });
    expect(await lockHolder(path)).toBe(child.pid);
    expect(await told('drop')).toBe('free');
    expect(await lockHolder(path)).toBeNull();
    const lock = await lockRun(path, 'r7');
    expect(await lockHolder(path)).toBe(process.pid);
    expect(await told('take')).toBe('refused run.locked');
    await lock.release();
    await lock.release();
    expect(await lockHolder(path)).toBeNull();
  });

  it('of a killed process is taken over, and its file removed', async () => {
    const dir = await folder();
    const path = join(dir, 'lock');
    const { child, told } = await start(path);
    expect(await told('take')).toBe('held');
    child.kill('SIGKILL');
    await ended(child);
    expect(await lockHolder(path)).toBeNull();
    expect(await readdir(dir)).toHaveLength(1);
    const lock = await lockRun(path, 'r7');
    expect(await readdir(dir)).toEqual([expect.stringMatching(`^lock\\.${process.pid}\\.`)]);
    await lock.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it('is never held by two of those that find a dead one at the same moment', async () => {
    const dir = await folder();
    const path = join(dir, 'lock');
    const rivals = await Promise.all([start(path), start(path), start(path)]);
    let held = 0;
    for (let round = 0; round < 8; round++) {
      await writeFile(`${path}.${NOBODY}.1`, '');
      const said = await Promise.all(rivals.map((rival) => rival.told('take')));
      const winners = said.filter((word) => word === 'held').length;
      expect(winners).toBeLessThanOrEqual(1);
      expect(said.filter((word) => word === 'refused run.locked')).toHaveLength(3 - winners);
      held += winners;
      await Promise.all(rivals.map((rival) => rival.told('drop')));
    }
    expect(held).toBeGreaterThan(3);
    expect(await readdir(dir)).toEqual([]);
  });

  it('is not taken twice by one process', async () => {
    const path = join(await folder(), 'lock');
    const lock = await lockRun(path, 'r7');
    await expect(lockRun(path, 'r7')).rejects.toMatchObject({ code: 'run.locked' });
    await lock.release();
    await (await lockRun(path, 'r7')).release();
  });

  it('of a process whose id was given to another is taken over', async () => {
    const dir = await folder();
    const path = join(dir, 'lock');
    await writeFile(join(dir, `lock.${process.ppid}.1`), '');
    expect(await lockHolder(path)).toBeNull();
    const lock = await lockRun(path, 'r7');
    expect(await lockHolder(path)).toBe(process.pid);
    await lock.release();
  });

  it('does not mind other files, or a folder that is not there', async () => {
    const dir = await folder();
    for (const name of ['lock', 'lock.txt', 'lock.1', 'lock.1.1.tmp', 'unlock.1.1'])
      await writeFile(join(dir, name), '');
    expect(await lockHolder(join(dir, 'lock'))).toBeNull();
    expect(await lockHolder(join(dir, 'none', 'lock'))).toBeNull();
    await (await lockRun(join(dir, 'lock'), 'r7')).release();
    expect(await readdir(dir)).toHaveLength(5);
  });
});
