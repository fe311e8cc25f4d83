import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../support/program.js';
import type { Resource } from '../support/real-cloud.js';
import { MIGRATE, VM, cloudBench, expectDone, resultOf, type VmResult } from './bench.js';

const bench = cloudBench();
/** The guest's boot is proved elsewhere; here an application credential does it all. */
const ARGS = [...MIGRATE, '--wait-for', 'active'];
const APPCRED = { OS_CLOUD: 'lab-appcred' };

describe('rollback', () => {
  let before: Resource[];
  let vm: VmResult & { run: string };
  let ended: Ended;

  beforeAll(async () => {
    before = await bench.listing();
    ended = await bench.run(ARGS, APPCRED);
    expectDone(ended);
    vm = resultOf(ended);
  });

  test('there is something to roll back, and the boot that nobody waited for is called not proved', async () => {
    expect(await bench.made(vm.run)).toEqual({ server: 1, volume: 2, port: 1, image: 2 });
    expect(ended.stderr).toContain('boot not proved');
    expect(ended.stderr).not.toContain('console:');
  });

  test('a server that has run goes only with the VM’s name typed out; nothing is removed and the run stays done', async () => {
    const refused = await bench.run(['rollback', vm.run], APPCRED);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('has run and may hold new data');
    expect(refused.stderr).toContain('--discard');
    const mistyped = await bench.run(['rollback', vm.run, '--discard', 'web02'], APPCRED);
    expect(mistyped.code).toBe(2);
    expect(mistyped.stderr).toContain('"web02" is not the name of the VM');
    expect(await bench.made(vm.run)).toEqual({ server: 1, volume: 2, port: 1, image: 2 });
    const status = await bench.run(['status', vm.run, '-f', 'json']);
    expect(resultOf(status).state).toBe('done');
  });

  test('in another project it touches nothing', async () => {
    const other = await bench.run(['rollback', vm.run, '--discard', VM], { OS_CLOUD: 'lab-other' });
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('(run.other_cloud)');
    expect(await bench.made(vm.run)).toEqual({ server: 1, volume: 2, port: 1, image: 2 });
  });

  test('with the name, all that the run made goes, and the project is what it was', async () => {
    const done = await bench.run(['rollback', vm.run, '--discard', VM, '-f', 'json'], APPCRED);
    expectDone(done);
    expect(resultOf(done)).toMatchObject({
      state: 'rolled_back',
      server_id: null,
      image_ids: [],
      volumes: [],
      ports: [],
    });
    // Each thing that goes is named once.
    const gone = done.stderr.split('\n').filter((line) => line.startsWith('deleted '));
    expect(gone).toHaveLength(6);
    expect(await bench.listing()).toEqual(before);
    await expect(stat(join(bench.stateDir, 'runs', vm.run, 'disks'))).rejects.toThrow('ENOENT');
  });

  test('once more it finds nothing to do, and the run cannot be resumed', async () => {
    expectDone(await bench.run(['rollback', vm.run], APPCRED));
    const resumed = await bench.run(['migrate', '--resume', '--run', vm.run, '--yes'], APPCRED);
    expect(resumed.code).toBe(2);
    expect(resumed.stderr).toContain('was rolled back');
  });
});

describe('rollback of a run that has made no server', () => {
  test('needs no name', async () => {
    const before = await bench.listing();
    const ended = await bench.run([...ARGS, '--no-start']);
    expectDone(ended);
    const { run } = resultOf(ended);
    expect(await bench.made(run)).toEqual({ volume: 2, port: 1, image: 2 });
    expectDone(await bench.run(['rollback', run]));
    expect(await bench.listing()).toEqual(before);
  });
});
