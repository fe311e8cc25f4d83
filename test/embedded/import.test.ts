import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ovf } from '../convert/ovf/texts.js';
import { tar } from '../convert/package/tar-files.js';
import { selfSignedCertificate } from '../lab/cloud/tls.js';
import { sampleHost } from '../lab/esxi/index.js';
import {
  contentHash,
  counts,
  expectKilled,
  killAt,
  requests,
  resultOf,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import {
  bootDisk,
  descriptorOf,
  manifestOf,
  ovaOf,
  streamOptimized,
  vmxOf,
  writeOva,
} from '../support/import-files.js';
import type { MigrationResult } from '../support/contract.js';
import { journal, type Ended } from '../support/program.js';
import { patterned, writeFlat } from '../support/vmdk-files.js';

const peers = usePeers({ ...sampleHost(), vms: [] });
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const MIB = 1024 ** 2;
const ONE = { images: 1, volumes: 1, ports: 1, servers: 1 };
const NOTHING = { images: 0, volumes: 0, ports: 0, servers: 0 };
const ON_NETWORK = ['--network', 'VM Network=lab-net', '--yes', '-f', 'json'];
const BARE = ['--cpus', '1', '--memory', '512', '--nic', 'ethernet0=lab-net', '--yes', '-f', 'json'];

/** A lab without a host: nothing may be asked of one. */
async function withoutHost(): Promise<Lab> {
  const lab = await peers.lab();
  const env = Object.fromEntries(Object.entries(lab.env).filter(([name]) => !name.startsWith('STACKFERRY_ESXI')));
  const { run } = await import('../support/program.js');
  return { ...lab, env, run: (args, more = {}) => run(args, { ...env, ...more }, lab.dir) };
}

/** Fails unless the volumes hold exactly these disks, and the result says so. */
async function expectDisks(lab: Lab, result: MigrationResult, disks: readonly Buffer[], at = 0): Promise<void> {
  const wanted: string[] = [];
  for (const [index, disk] of disks.entries()) {
    const path = join(lab.dir, `wanted-${index}`);
    await writeFile(path, disk);
    wanted.push(await contentHash(path, disk.length));
  }
  const volumes = result.vms[at]?.volumes ?? [];
  expect(volumes.map((volume) => volume.content_hash)).toEqual(wanted);
  expect(volumes.map((volume) => volume.capacity_bytes)).toEqual(disks.map((disk) => disk.length));
  const arrived = [];
  for (const volume of volumes) {
    arrived.push(await contentHash(lab.cloud.volumeFile(volume.volume_id), volume.capacity_bytes ?? 0));
  }
  expect(arrived).toEqual(wanted);
}

function errorOf(ended: Ended): string | undefined {
  const { vms } = JSON.parse(ended.stdout) as { vms: { error: { code: string } | null }[] };
  return vms[0]?.error?.code;
}

async function withInput(lab: Lab, args: readonly string[], input: Buffer): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', ...lab.env };
  const ended = await execa(process.execPath, [CLI, ...args], {
    ...{ input, env, cwd: lab.dir, extendEnv: false, reject: false, stripFinalNewline: false },
  });
  return { code: ended.exitCode ?? null, signal: null, stdout: ended.stdout, stderr: ended.stderr };
}

describe.concurrent('a package of one VM', () => {
  test('an OVA becomes a server with its disk; the same command makes nothing twice', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('ova');
    const ova = await writeOva(lab.dir, 'web01', disk);
    const result = resultOf(await lab.run(['import', ova, ...ON_NETWORK]));
    expect(result).toMatchObject({ state: 'done', vms: [{ vm: 'web01', boot: { proved: true } }] });
    await expectDisks(lab, result, [disk]);
    const server = lab.cloud.state.servers.find(({ id }) => id === result.vms[0]?.server_id);
    const flavor = lab.cloud.state.flavors.find(({ id }) => id === server?.flavor_id);
    expect(flavor?.vcpus).toBeGreaterThanOrEqual(2);
    expect(counts(lab)).toEqual(ONE);

    const again = await lab.run(['import', ova, ...ON_NETWORK]);
    expect(resultOf(again)).toMatchObject({ run: result.run, state: 'done' });
    expect(again.stderr).toContain('nothing was made now');
    expect(counts(lab)).toEqual(ONE);

    const verified = await lab.run(['verify', result.run, '--source', '-f', 'json']);
    expect(verified.code, verified.stderr).toBe(0);
    const guide = await lab.run(['guide', '--run', result.run]);
    expect(guide.code).toBe(2);
    expect(guide.stderr).toContain('imports files');
    const undone = await lab.run(['rollback', result.run, '--discard', 'web01', '--yes', '-f', 'json']);
    expect(undone.code, undone.stderr).toBe(0);
    expect(counts(lab)).toEqual(NOTHING);
  });

  test('killed before its image is whole, the same command goes on; so does migrate --resume', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('killed');
    const ova = await writeOva(lab.dir, 'web01', disk);
    expectKilled(await lab.run(['import', ova, ...ON_NETWORK], killAt('after', /"kind":"made","step":"image/)));
    expectKilled(await lab.run(['import', ova, ...ON_NETWORK], killAt('after', /"kind":"made","step":"volume/)));
    const result = resultOf(await lab.run(['migrate', '--resume', '--yes', '-f', 'json']));
    await expectDisks(lab, result, [disk]);
    expect(counts(lab)).toEqual(ONE);
    expect(await readdir(join(lab.stateDir, 'runs'))).toEqual([result.run]);
  });

  test('only looked at with --dry-run', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('dry');
    const ova = await writeOva(lab.dir, 'web01', disk);
    const ended = await lab.run(['import', ova, '--dry-run', '-f', 'json', '--network', '*=lab-net']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ vm: { name: 'web01' }, earlier: null });
    expect(counts(lab)).toEqual(NOTHING);
    expect(requests(lab, 'POST', 'image', /images$/)).toEqual([]);
  });

  test('an OVA whose disk is not what its manifest says leaves nothing in the cloud', async () => {
    const lab = await withoutHost();
    const bad = await ovaOf(lab.dir, 'web01', bootDisk('bad'), true);
    await writeFile(join(lab.dir, 'bad.ova'), bad);
    const ended = await lab.run(['import', 'bad.ova', ...ON_NETWORK]);
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toBe('package.manifest_differs');
    expect(counts(lab)).toEqual(NOTHING);
    expect(requests(lab, 'POST', 'image', /images$/)).toEqual([]);
  });

  test('a .vmx with a disk that has a snapshot', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('vmx');
    const folder = join(lab.dir, 'vm');
    await mkdir(folder);
    await writeFlat(folder, 'web01', disk);
    const grains = 8 * MIB;
    await execa(
      'qemu-img',
      ['create', '-f', 'vmdk', '-F', 'vmdk', '-b', 'web01.vmdk', 'web01-000001.vmdk', String(grains)],
      {
        cwd: folder,
      },
    );
    await writeFile(join(folder, 'web01.vmx'), vmxOf('web01', 'web01-000001.vmdk'));
    const result = resultOf(await lab.run(['import', 'vm/web01.vmx', ...ON_NETWORK]));
    expect(result.vms[0]).toMatchObject({ vm: 'web01', ports: [{ mac: '00:0c:29:01:02:03' }] });
    await expectDisks(lab, result, [disk]);
  });
});

// Attaching needs root; what it does without is looked at where a host's VM is moved so.
describe.runIf(process.getuid?.() === 0)('onto the attached volume', () => {
  const brick = { PYTHONPATH: fileURLToPath(new URL('../lab/os-brick', import.meta.url)) };
  const by = [...ON_NETWORK, '--via', 'cinder'];

  test('an OVA, gone on with after a kill', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('attached');
    const ova = await writeOva(lab.dir, 'web01', disk);
    expectKilled(
      await lab.run(['import', ova, ...by], { ...brick, ...killAt('after', /"kind":"made","step":"volume/) }),
    );
    const result = resultOf(await lab.run(['import', ova, ...by], brick));
    await expectDisks(lab, result, [disk]);
    expect(counts(lab)).toEqual({ ...ONE, images: 0 });
    expect(result.vms[0]?.proof.map(({ volume }) => volume)).toEqual(['equal']);
  });

  test('a packed disk, and an OVA from stdin', async () => {
    const lab = await withoutHost();
    const [packed, streamed] = [bootDisk('packed'), bootDisk('streamed')];
    await writeFile(join(lab.dir, 'old.vmdk.gz'), gzipSync(await streamOptimized(lab.dir, packed)));
    const result = resultOf(await lab.run(['import', 'old.vmdk.gz', ...BARE, '--via', 'cinder'], brick));
    await expectDisks(lab, result, [packed]);
    const ova = await ovaOf(lab.dir, 'web01', streamed);
    const second = resultOf(await withInput({ ...lab, env: { ...lab.env, ...brick } }, ['import', '-', ...by], ova));
    await expectDisks(lab, second, [streamed]);
  });
});

describe.concurrent('bare disks', () => {
  test.each(['qcow2', 'vhdx', 'vpc', 'vdi', 'raw'])('%s, read in place', async (format) => {
    const lab = await withoutHost();
    const disk = bootDisk(format);
    await writeFile(join(lab.dir, 'disk.raw'), disk);
    const name = `old.${format}`;
    const options = format === 'vpc' ? ['-o', 'force_size=on'] : [];
    await execa('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, 'disk.raw', name], { cwd: lab.dir });
    const result = resultOf(await lab.run(['import', name, ...BARE]));
    expect(result.vms[0]).toMatchObject({ vm: format === 'vpc' ? 'old.vpc' : 'old', boot: { proved: true } });
    await expectDisks(lab, result, [disk]);
  });

  test('two of them are one VM, packed or not; without a size they are refused', async () => {
    const lab = await withoutHost();
    const [first, second] = [bootDisk('first'), patterned(3 * MIB, 'second')];
    await writeFile(join(lab.dir, 'first.vmdk.gz'), gzipSync(await streamOptimized(lab.dir, first)));
    await writeFile(join(lab.dir, 'second.img'), second);
    const files = ['import', 'first.vmdk.gz', 'second.img'];
    const refused = await lab.run([...files, '--nic', 'ethernet0=lab-net', '--yes']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--cpus N --memory MIB');
    const result = resultOf(await lab.run([...files, ...BARE]));
    expect(result.vms[0]?.volumes.map(({ label }) => label)).toEqual(['scsi0:0', 'scsi0:1']);
    await expectDisks(lab, result, [first, second]);
  });

  test('of an unknown form are raw only where that is said', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('odd');
    await writeFile(join(lab.dir, 'disk.bin'), disk);
    const refused = await lab.run(['import', 'disk.bin', ...BARE]);
    expect(errorOf(refused)).toBe('package.unknown_format');
    await expectDisks(lab, resultOf(await lab.run(['import', 'disk.bin', '--raw', ...BARE])), [disk]);
  });
});

describe.concurrent('several VMs in one OVF', () => {
  test('each becomes a server, or one that is named', async () => {
    const lab = await withoutHost();
    const disks = [bootDisk('one'), bootDisk('two', 5)];
    const vms = [
      { name: 'web01', file: 'one.vmdk', mebibytes: 8 },
      { name: 'db01', file: 'two.vmdk', mebibytes: 5 },
    ];
    const files = {
      'vapp.ovf': descriptorOf(vms),
      'one.vmdk': await streamOptimized(lab.dir, disks[0] ?? Buffer.alloc(0)),
      'two.vmdk': await streamOptimized(lab.dir, disks[1] ?? Buffer.alloc(0)),
    };
    for (const [name, bytes] of Object.entries({ ...files, 'vapp.mf': manifestOf(files) })) {
      await writeFile(join(lab.dir, name), bytes);
    }
    const one = resultOf(await lab.run(['import', 'vapp.ovf', '--vm', 'db*', ...ON_NETWORK]));
    expect(one.vms.map(({ vm }) => vm)).toEqual(['db01']);
    expect(counts(lab)).toEqual(ONE);
    const both = await lab.run(['import', 'vapp.ovf', ...ON_NETWORK]);
    expect(both.code, both.stderr).toBe(0);
    const result = JSON.parse(both.stdout) as MigrationResult;
    expect(result.vms.map(({ vm, state }) => [vm, state])).toEqual([
      ['web01', 'done'],
      ['db01', 'done'],
    ]);
    expect(counts(lab)).toEqual({ images: 2, volumes: 2, ports: 2, servers: 2 });
    for (const [index, disk] of disks.entries()) await expectDisks(lab, result, [disk], index);
    const named = await lab.run(['import', 'vapp.ovf', '--name', 'x', ...ON_NETWORK]);
    expect(named.code).toBe(2);
  });
});

describe.concurrent('from elsewhere', () => {
  async function served(content: Buffer, hasRanges: boolean, tls?: { key: string; cert: string }): Promise<string> {
    const answer: RequestListener = (request, response) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
      if (!range || !hasRanges) {
        response.writeHead(200, { 'content-length': content.length }).end(content);
        return;
      }
      const [from, to] = [Number(range[1]), Math.min(Number(range[2]), content.length - 1)];
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${to}/${content.length}`, etag: '"one"' })
        .end(content.subarray(from, to + 1));
    };
    const server = tls ? createTlsServer(tls, answer) : createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    return `${tls ? 'https' : 'http'}://127.0.0.1:${port}/images/web01.ova?token=s3cr3t-w0rd`;
  }

  test('an https URL whose authority is named, and not else', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('https');
    const tls = selfSignedCertificate();
    await writeFile(join(lab.dir, 'ca.pem'), tls.cert);
    const url = await served(await ovaOf(lab.dir, 'web01', disk), true, tls);
    const refused = await lab.run(['import', url, ...ON_NETWORK]);
    expect(errorOf(refused)).toBe('package.url_failed');
    expect(refused.stderr + refused.stdout).not.toContain('s3cr3t-w0rd');
    await expectDisks(lab, resultOf(await lab.run(['import', url, '--cacert', 'ca.pem', ...ON_NETWORK])), [disk]);
  });

  test.each([true, false])('a URL (ranges: %s), whose query is kept nowhere', async (hasRanges) => {
    const lab = await withoutHost();
    const disk = bootDisk('url');
    const url = await served(await ovaOf(lab.dir, 'web01', disk), hasRanges);
    const ended = await lab.run(['import', url, ...ON_NETWORK]);
    const result = resultOf(ended);
    await expectDisks(lab, result, [disk]);
    const lines = JSON.stringify(await journal(lab.stateDir, result.run));
    expect(lines).toContain('/images/web01.ova');
    expect(lines + ended.stderr + ended.stdout).not.toContain('s3cr3t-w0rd');
  });

  test('a URL whose file is not what its manifest says: the image is dropped', async () => {
    const lab = await withoutHost();
    const bad = await ovaOf(lab.dir, 'web01', bootDisk('bad'), true);
    const ended = await lab.run(['import', await served(bad, true), ...ON_NETWORK]);
    expect(errorOf(ended)).toBe('package.manifest_differs');
    expect(counts(lab)).toEqual(NOTHING);
  });

  test('stdin, and again after it was cut off', async () => {
    const lab = await withoutHost();
    const disk = bootDisk('stdin');
    const ova = await ovaOf(lab.dir, 'web01', disk);
    const cut = await withInput(lab, ['import', '-', ...ON_NETWORK], ova.subarray(0, ova.length - 400_000));
    expect(cut.code, cut.stderr).toBe(1);
    expect(counts(lab)).toMatchObject({ volumes: 0, servers: 0 });
    const result = resultOf(await withInput(lab, ['import', '-', ...ON_NETWORK], ova));
    await expectDisks(lab, result, [disk]);
    expect(counts(lab)).toEqual(ONE);
    const again = resultOf(await withInput(lab, ['import', '-', ...ON_NETWORK], ova));
    expect(again.run).toBe(result.run);
  });

  test('stdin whose last file differs from its manifest', async () => {
    const lab = await withoutHost();
    const bad = await ovaOf(lab.dir, 'web01', bootDisk('bad'), true);
    const ended = await withInput(lab, ['import', '-', ...ON_NETWORK], bad);
    expect(errorOf(ended)).toBe('package.manifest_differs');
    expect(counts(lab)).toEqual(NOTHING);
  });
});

describe.concurrent('hostile files are refused before anything is asked of the cloud', () => {
  const text = (href: string) => ovf({ files: `<File ovf:href="${href}" ovf:id="file1"/>` });
  const cases: [string, string, () => Promise<Buffer> | Buffer, string][] = [
    ['a disk outside', 'x.ova', () => tar([{ name: 'x.ovf', content: text('../../etc/passwd') }]), 'package.unsafe_path'],
    ['an absolute path', 'x.ovf', () => Buffer.from(text('/etc/passwd')), 'package.unsafe_path'],
    ['a link in the archive', 'x.ova', () => tar([{ name: 'x.ovf', type: '2', link: '/etc/passwd' }]), 'package.'],
    ['an entity', 'x.ovf', () => Buffer.from(`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>${text('&b;')}`), 'package.'],
    ['a .vmx with a disk elsewhere', 'x.vmx', () => Buffer.from('config.version = "8"\nscsi0.present = "TRUE"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "/etc/passwd"\n'), 'package.unsafe_path'],
  ]; // prettier-ignore

  test.each(cases)('%s', async (_what, name, make, code) => {
    const lab = await withoutHost();
    await writeFile(join(lab.dir, name), await make());
    const ended = await lab.run(['import', name, ...ON_NETWORK]);
    expect(ended.code, ended.stdout).not.toBe(0);
    expect(errorOf(ended)).toContain(code);
    expect(lab.cloud.requests()).toEqual([]);
  });

  test('a qcow2 with a backing file', async () => {
    const lab = await withoutHost();
    await writeFile(join(lab.dir, 'base.raw'), bootDisk('base'));
    await execa('qemu-img', ['create', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', 'over.qcow2'], { cwd: lab.dir });
    const ended = await lab.run(['import', 'over.qcow2', ...BARE]);
    expect(errorOf(ended)).toBe('convert.unsafe_source');
    expect(ended.stderr).toContain('backing file');
    expect(lab.cloud.requests()).toEqual([]);
  });
});
