import { execFileSync } from 'node:child_process';
import { lstatSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostOver } from '../../../src/esxi/index.js';
import { DS1, FakeHost, context } from '../harness.js';
import { DISK, MIB_SECTORS, delta, flat, install } from '../vms.js';

/** `allocated_bytes` against real files: what their blocks take, not how long they are. */

const MIB = 1024 ** 2;
const CAPACITY = 8 * MIB;

/** Of util-linux: takes blocks without writing them, as a thick disk that is zeroed lazily. */
const FALLOCATE = 'fallocate';

let host: FakeHost;

beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const file = (name: string) => join(host.root, 'vmfs/volumes', DS1.uuid, 'sized', name);
const blocksOf = (name: string) => lstatSync(file(name)).blocks * 512;

/** Three disks of 8 MiB: one thin with 1 MiB written, one thick whose zeros were never written, one with a snapshot. */
function threeDisks(): void {
  install(host, [
    {
      id: 1,
      name: 'sized',
      vmx: [
        ...DISK,
        'scsi0:0.fileName = "thin.vmdk"',
        'scsi0:1.present = "TRUE"',
        'scsi0:1.fileName = "thick.vmdk"',
        'scsi0:2.present = "TRUE"',
        'scsi0:2.fileName = "chain-000001.vmdk"',
      ],
      files: {
        ...flat('thin', 8),
        ...flat('thick', 8),
        ...flat('chain', 8, { cid: '00000001' }),
        ...delta('chain-000001', 'chain.vmdk', { cid: '00000002', parentCid: '00000001' }),
      },
    },
  ]);
  writeFileSync(file('thin-flat.vmdk'), Buffer.alloc(MIB, 'x'));
  truncateSync(file('thin-flat.vmdk'), CAPACITY);
  execFileSync(FALLOCATE, ['-l', String(CAPACITY), file('thick-flat.vmdk')]);
  writeFileSync(file('chain-flat.vmdk'), Buffer.alloc(2 * MIB, 'x'));
  truncateSync(file('chain-flat.vmdk'), CAPACITY);
  // The delta's header says as many sectors as its base has; what it holds is 64 KiB.
  const cowd = Buffer.alloc(64 * 1024, 0x41);
  Buffer.from('COWD').copy(cowd);
  for (const [index, value] of [1, 3, CAPACITY / 512, 1, 4].entries()) cowd.writeUInt32LE(value, 4 + 4 * index);
  writeFileSync(file('chain-000001-delta.vmdk'), cowd);
  const descriptor = delta('chain-000001', 'chain.vmdk', { cid: '00000002', parentCid: '00000001' });
  writeFileSync(
    file('chain-000001.vmdk'),
    (descriptor['chain-000001.vmdk'] ?? '').replace(`RW ${MIB_SECTORS} `, `RW ${8 * MIB_SECTORS} `),
  );
}

describe('allocated_bytes', () => {
  it.each([
    ['stat', []],
    ['du, where the host has no stat', ['stat']],
  ])('are what the datastore holds, by %s', async (_, without) => {
    threeDisks();
    const shell = host.shell();
    shell.without = without;
    const { vms } = await hostOver(shell, context).inventory();
    expect(vms[0]?.facts.diskProblems).toEqual({});
    const held = vms[0]?.disks.map(({ label, capacity_bytes, allocated_bytes }) => [
      label,
      capacity_bytes,
      allocated_bytes,
    ]);
    expect(held).toEqual([
      ['scsi0:0', CAPACITY, blocksOf('thin-flat.vmdk')],
      ['scsi0:1', CAPACITY, blocksOf('thick-flat.vmdk')],
      ['scsi0:2', CAPACITY, blocksOf('chain-flat.vmdk') + blocksOf('chain-000001-delta.vmdk')],
    ]);
    // File systems round up to their blocks: thin is about what was written, thick all of it, a chain the sum of its links.
    const [thin = 0, thick = 0, chain = 0] = held?.map(([, , bytes]) => Number(bytes)) ?? [];
    const near = (bytes: number) => [bytes, bytes + MIB / 4] as const;
    for (const [bytes, [least, most]] of [
      [thin, near(MIB)],
      [thick, near(CAPACITY)],
      [chain, near(2 * MIB + 64 * 1024)],
    ] as const) {
      expect(bytes).toBeGreaterThanOrEqual(least);
      expect(bytes).toBeLessThan(most);
    }
  });
});
