import { readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { RangeList } from '../../../src/disk/index.js';
import type { EsxiHost, SourceDisk, SourceDisks } from '../../../src/esxi/index.js';
import type { PackageAddress } from '../../../src/migration/import/address.js';
import { openImport } from '../../../src/migration/import/open.js';
import { tar, type TarMember } from '../../convert/package/tar-files.js';
import { bootDisk, descriptorOf, ovaOf, streamOptimized, writeOva } from '../../support/import-files.js';
import { recordingContext } from '../../support/recording-context.js';
import { tempFolders } from '../../support/temp-folder.js';

const temp = tempFolders();
const MIB = 1024 ** 2;
const ctx = recordingContext();
const READ = { mostStreams: 1 };

function open(given: string[], more: Partial<PackageAddress> = {}, stdin: Buffer | null = null): Promise<EsxiHost> {
  async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 50_000) yield await Promise.resolve(bytes.subarray(at, at + 50_000));
  }
  const address = { given, raw: false, cacert: null, hardware: null, ...more };
  return openImport(address, { ctx, urls: new Map(), stdin: stdin && chunks(stdin), proxyFor: () => null });
}

async function planOf(host: EsxiHost, index = 0): Promise<SourceDisks> {
  const vm = (await host.inventory()).vms[index];
  if (!vm) throw new Error('no such VM');
  return host.disks.plan(vm, vm.disks, ctx, { outputDir: null });
}

function only({ disks }: SourceDisks): SourceDisk {
  const [disk, ...more] = disks;
  if (!disk || more.length > 0) throw new Error('not one disk');
  return disk;
}

/** The disk as a run reads it: what holds data in order, never across a chunk. */
async function content(disk: SourceDisk): Promise<Buffer> {
  const opened = await disk.open(ctx, { trustMap: 'auto' });
  const data = await opened.dataRanges();
  const out = Buffer.alloc(disk.capacityBytes);
  let read = 0;
  for await (const { offset, bytes } of opened.pieces(data, READ)) {
    expect(Math.floor(offset / (4 * MIB))).toBe(Math.floor((offset + bytes.length - 1) / (4 * MIB)));
    bytes.copy(out, offset);
    read += bytes.length;
  }
  expect(read).toBe(data.bytes);
  return out;
}

describe('a package on this machine', () => {
  it('is noticed to be another one at the last look', async () => {
    const folder = await temp();
    const ova = await writeOva(folder, 'web01', bootDisk('one'));
    const host = await open([ova]);
    const plan = await planOf(host);
    expect((await content(only(plan))).equals(bootDisk('one'))).toBe(true);
    await plan.recheck(ctx);
    await utimes(ova, 1, 1);
    await expect(plan.recheck(ctx)).rejects.toMatchObject({ code: 'vm.changed_during_copy' });
    await host.close();
  });

  it('has the same ids and words for its files each time it is opened, and others in another place', async () => {
    const folder = await temp();
    const ova = await writeOva(folder, 'web01', bootDisk('one'));
    const seen = [];
    for (const path of [ova, ova, await writeOva(folder, 'copy', bootDisk('one'))]) {
      const host = await open([path]);
      seen.push([(await host.inventory()).vms[0]?.id, only(await planOf(host)).tokens]);
      await host.close();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]?.[0]).not.toBe(seen[0]?.[0]);
    expect(String(seen[0]?.[0])).toMatch(/^\d{9}$/);
  });

  it('is compared with its manifest before it is read', async () => {
    const folder = await temp();
    await writeFile(join(folder, 'bad.ova'), await ovaOf(folder, 'web01', bootDisk('bad'), true));
    const host = await open([join(folder, 'bad.ova')]);
    await expect(planOf(host)).rejects.toMatchObject({ code: 'package.manifest_differs' });
    await host.close();
  });

  it('has its packed disks read at any place, and holes left out', async () => {
    const folder = await temp();
    const disk = bootDisk('packed', 24);
    await writeFile(join(folder, 'x.vmdk.gz'), gzipSync(await streamOptimized(folder, disk)));
    const host = await open([join(folder, 'x.vmdk.gz')]);
    const plan = only(await planOf(host));
    expect((await content(plan)).equals(disk)).toBe(true);
    const opened = await plan.open(ctx, { trustMap: 'auto' });
    expect((await opened.dataRanges()).bytes).toBeLessThan(4 * MIB);
    const wanted = RangeList.from([{ offset: 100, length: 1000 }, { offset: 23 * MIB, length: MIB }]); // prettier-ignore
    const parts = [];
    for await (const { bytes } of opened.pieces(wanted, READ)) parts.push(bytes);
    const expected = [disk.subarray(100, 1100), disk.subarray(23 * MIB)];
    expect(Buffer.concat(parts).equals(Buffer.concat(expected))).toBe(true);
    await host.close();
  });

  it('with a qcow2 inside an OVA is read from a copy, which is gone in the end', async () => {
    const folder = await temp();
    const disk = bootDisk('inside');
    await writeFile(join(folder, 'd.raw'), disk);
    await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', 'd.raw', 'd.qcow2'], { cwd: folder });
    const members = [
      { name: 'x.ovf', content: descriptorOf([{ name: 'web01', file: 'd.qcow2', mebibytes: 8 }]) },
      { name: 'd.qcow2', content: await readFile(join(folder, 'd.qcow2')) },
    ];
    await writeFile(join(folder, 'x.ova'), tar(members));
    const ours = async () =>
      (await readdir(tmpdir())).filter((name) => name.startsWith(`stackferry-import-${process.pid}.`));
    const host = await open([join(folder, 'x.ova')]);
    expect(await ours()).toHaveLength(1);
    expect((await content(only(await planOf(host)))).equals(disk)).toBe(true);
    await host.close();
    expect(await ours()).toEqual([]);
  });

  it('takes several bare disks for one VM, and nothing beside a package', async () => {
    const folder = await temp();
    const ova = await writeOva(folder, 'web01', bootDisk('one'));
    await writeFile(join(folder, 'a.raw'), bootDisk('a'));
    await expect(open([ova, join(folder, 'a.raw')])).rejects.toMatchObject({ code: 'usage' });
    await expect(open([join(folder, 'a.raw'), ova])).rejects.toMatchObject({ code: 'usage' });
    const hardware = { cpus: 1, memory_mib: 256, firmware: 'efi' as const, guest_id: 'rhel9_64Guest', nics: 2 };
    await expect(open([ova], { hardware })).rejects.toMatchObject({ code: 'usage' });
    const host = await open([join(folder, 'a.raw')], { hardware });
    const [vm] = (await host.inventory()).vms;
    expect(vm).toMatchObject({ name: 'a', cpus: 1, memory_mib: 256, firmware: 'efi', guest_id: 'rhel9_64Guest' });
    expect(vm?.nics.map(({ label, mac, network }) => [label, mac, network])).toEqual([
      ['ethernet0', null, null],
      ['ethernet1', null, null],
    ]);
    expect(vm?.disks.map(({ label }) => label)).toEqual(['scsi0:0']);
    await host.close();
  });
});

describe('an OVA on stdin', () => {
  it('is read once, and its end is the last look', async () => {
    const folder = await temp();
    const disk = bootDisk('stream');
    const host = await open(['-'], {}, await ovaOf(folder, 'web01', disk));
    const plan = await planOf(host);
    expect((await content(only(plan))).equals(disk)).toBe(true);
    await plan.recheck(ctx);
    await plan.recheck(ctx);
    await expect(content(only(plan))).rejects.toMatchObject({ code: 'import.stream_spent' });
    await host.close();
  });

  it('that is not what its manifest says fails at the last look', async () => {
    const folder = await temp();
    const host = await open(['-'], {}, await ovaOf(folder, 'web01', bootDisk('bad'), true));
    const plan = await planOf(host);
    await content(only(plan));
    await expect(plan.recheck(ctx)).rejects.toMatchObject({ code: 'package.manifest_differs' });
    await host.close();
  });

  it('is left unread where nothing of it is wanted, and cannot be read where there is none', async () => {
    const folder = await temp();
    const host = await open(['-'], {}, await ovaOf(folder, 'web01', bootDisk('one')));
    await host.close();
    await expect(open(['-'])).rejects.toMatchObject({ code: 'import.stream_spent' });
  });

  it('gives a disk of the second VM and leaves out that of the first', async () => {
    const folder = await temp();
    const disks = [bootDisk('first'), bootDisk('second')];
    const vms = ['a', 'b'].map((name) => ({ name, file: `${name}.vmdk`, mebibytes: 8 }));
    const members: TarMember[] = [{ name: 'x.ovf', content: descriptorOf(vms) }];
    for (const [index, disk] of disks.entries()) {
      members.push({ name: vms[index]?.file ?? '', content: await streamOptimized(folder, disk) });
    }
    const host = await open(['-'], {}, tar(members));
    const plan = await planOf(host, 1);
    expect((await content(only(plan))).equals(disks[1] ?? Buffer.alloc(0))).toBe(true);
    await plan.recheck(ctx);
    await host.close();
  });
});
