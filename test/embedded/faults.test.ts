import { existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa, execaSync } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { MIB } from '../lab/esxi/index.js';
import { migrationResult, statusResult } from '../support/contract.js';
import {
  counts,
  diskReads,
  wholeMib,
  expectSourceBytes,
  migrateArgs,
  ONE_OF_EACH,
  requests,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import { type Ended, type Running } from '../support/program.js';

/** What goes wrong between the two sides, in each phase. */

const VMS = ['web01', 'changed', 'started', 'edited'];
const peers = usePeers({
  vms: [
    ...VMS.map((name) => smallVm(name)),
    smallVm('late'),
    smallVm('no-tools', { power: 'on', tools: 'none' }),
    smallVm('stubborn', { power: 'on', tools: 'stuck' }),
    smallVm('willing', { power: 'on', tools: 'running' }),
    smallVm('slow', { disks: [{ sizeBytes: 96 * MIB, mbr: true, dataBytes: 2 * MIB }] }),
  ],
});

const oneDisk = { images: 1, volumes: 1, ports: 1, servers: 1 };

async function done(lab: Lab, ended: Ended, vmName = 'web01', made = ONE_OF_EACH) {
  const result = resultOf(ended);
  expect(counts(lab)).toEqual(made);
  await expectSourceBytes(lab, vmName, result);
  return result;
}

/** The failure that the program reports: on stderr for a person, as JSON for a program; exit code 1 unless said. */
function failed(ended: Ended, code: string, exit = 1) {
  expect(ended.code, ended.stderr).toBe(exit);
  expect(ended.stderr).toContain(`(${code})`);
  expect(ended.stderr).not.toMatch(/\(internal\)|^\s+at /m);
  const result = migrationResult.parse(JSON.parse(ended.stdout));
  expect(result.vms[0]?.error?.code).toBe(code);
  expect(result.vms[0]?.error?.hint).not.toBe(null);
  return result;
}

async function until(what: () => boolean | Promise<boolean>, running?: Running): Promise<void> {
  const end = Date.now() + 120_000;
  const isOver = () => running !== undefined && (running.child.exitCode ?? running.child.signalCode) !== null;
  while (!(await what())) {
    if (isOver() || Date.now() > end) throw new Error(`it never came to that:\n${running?.stderr() ?? ''}`);
    await sleep(10);
  }
}

/** Writes into a file so that its size and modification time tell nothing of it. */
async function editUnseen(path: string): Promise<void> {
  const reference = `${path}.time`;
  await execa('touch', ['-r', path, reference]);
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  await file.write(Buffer.alloc(512, 0xa5), 0, 512, Math.floor(size / 2));
  await file.close();
  await execa('touch', ['-r', reference, path]);
}

/** The disks copied whole into files here first, as it can be asked for: then a copy goes on where it was cut off. */
const staged = (lab: Lab) => ['--output', join(lab.dir, 'out'), '--trust-map', 'never'];

const noChildren = async (pid: number) =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim() === '';

describe.concurrent('the host', () => {
  test.each([
    ['in the inventory', (lab: Lab) => lab.host.faults.dropAtExec(2)],
    ['at the first read', (lab: Lab) => lab.host.faults.dropAtExec(1, /^set -- /)],
    ['in the middle of a disk', (lab: Lab) => lab.host.faults.dropAfterBytes(4 * MIB, 2)],
    ['at the last look', (lab: Lab) => lab.host.faults.dropAtExec(2, /power\.getstate/)],
  ])('loses the connection %s: the program comes back', async (_when, fault) => {
    const lab = await peers.lab();
    fault(lab);
    await done(lab, await lab.run(migrateArgs('web01')));
    expect(lab.host.connectionCount).toBeGreaterThan(1);
    expect(lab.host.refusedLogins).toBe(0);
  });

  test('loses the connection in the middle of a disk, and the next one in the key exchange', async () => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(20 * MIB);
    const running = lab.start(migrateArgs('web01'));
    await until(() => diskReads(lab.host).some((read) => read.bytes > MIB), running);
    lab.host.faults.dropInKex(2);
    lab.host.faults.dropAll();
    await done(lab, await running.ended);
    expect(lab.host.connectionCount).toBeGreaterThan(3);
  });

  test('breaks off the first connection of all: an error at once, and nothing is begun', async () => {
    const lab = await peers.lab();
    lab.host.faults.dropInKex();
    const ended = await lab.run(migrateArgs('web01'));
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toMatch(/\(esxi\.unreachable\)\n {7}\S/);
    expect(ended.stderr).not.toMatch(/See:|Go on:|Undo:|^Run /m);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      run: null,
      state: 'failed',
      vms: [{ vm: 'web01', error: { code: 'esxi.unreachable' } }],
    });
    expect(existsSync(join(lab.stateDir, 'runs'))).toBe(false);
  });

  test('refuses new connections for a while', async () => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(20 * MIB);
    const running = lab.start(migrateArgs('web01'));
    await until(() => diskReads(lab.host).length > 0, running);
    await lab.host.faults.refuseConnections(true);
    lab.host.faults.dropAll();
    await sleep(1500);
    await lab.host.faults.clear();
    await done(lab, await running.ended);
  });

  test('is gone for good: an error with the next step, and a run to go on with', async () => {
    const lab = await peers.lab();
    const running = lab.start(migrateArgs('slow', '--streams', '1', ...staged(lab)));
    lab.host.faults.stallAfterBytes(70 * MIB);
    await until(() => diskReads(lab.host).reduce((sum, read) => sum + read.bytes, 0) >= 68 * MIB, running);
    await lab.host.close();
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toMatch(/\((host\.no_ssh|esxi\.\w+)\)/);
    expect(ended.stderr).toContain('Go on:');
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  test.each([
    ['started', async (lab: Lab) => lab.tree.setPower('started', 'on')],
    [
      'changed',
      async (lab: Lab) => {
        const [extent = ''] = lab.tree.vm('changed').disks[0]?.extents ?? [];
        await writeFile(extent, Buffer.alloc(512, 0x55), { flag: 'r+' });
      },
    ],
    [
      'edited',
      async (lab: Lab) => {
        const [descriptor = ''] = lab.tree.vm('edited').disks[1]?.descriptors ?? [];
        await writeFile(descriptor, (await readFile(descriptor, 'utf8')).replace(/CID=\w+/, 'CID=0badcafe'));
      },
    ],
  ])('has a VM that was %s meanwhile: it never becomes a server', async (name, change) => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(4 * MIB);
    const running = lab.start(migrateArgs(name, '--trust-map', 'never'));
    await until(() => diskReads(lab.host).some((read) => read.bytes > MIB), running);
    // Times of files count in seconds.
    await sleep(1100);
    await change(lab);
    await lab.host.faults.clear();
    failed(await running.ended, 'vm.changed_during_copy');
    expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
  });

  test('has a VM that is started while its volumes are made: still no server', async () => {
    const lab = await peers.lab({ cloud: { delays: { volume: 1500 } } });
    const running = lab.start(migrateArgs('late'));
    await until(() => requests(lab, 'POST', 'block-storage', /\/volumes$/).length > 0, running);
    await lab.tree.setPower('late', 'on');
    failed(await running.ended, 'vm.changed_during_copy');
    expect(counts(lab).servers).toBe(0);
    expect(requests(lab, 'POST', 'compute', /\/servers$/)).toEqual([]);
  });
});

describe.concurrent('a running VM', () => {
  const powerCommands = (lab: Lab) =>
    lab.host.commands.flatMap(({ command }) => /vmsvc\/power\.(shutdown|off)/.exec(command)?.[1] ?? []);

  test('with --force-off alone is asked to shut down first; one that obeys keeps its plug', async () => {
    const lab = await peers.lab();
    await done(lab, await lab.run(migrateArgs('willing', '--force-off')), 'willing');
    expect(powerCommands(lab)).toEqual(['shutdown']);
  });

  test('that does not go in time is refused without --force-off, and loses its plug with it', async () => {
    const lab = await peers.lab();
    const waits = ['--timeout-shutdown', '2'];
    const result = failed(await lab.run(migrateArgs('stubborn', '--power-off', ...waits)), 'vm.powered_on', 3);
    expect(result.vms[0]?.error?.message).toContain('within 2 s');
    expect(result.vms[0]?.error?.hint).toContain('--force-off');
    expect(await lab.tree.power('stubborn')).toBe('on');
    expect(lab.cloud.changingRequests()).toEqual([]);
    const forced = await done(lab, await lab.run(migrateArgs('stubborn', '--force-off', ...waits)), 'stubborn');
    expect(powerCommands(lab)).toEqual(['shutdown', 'shutdown', 'off']);
    expect(forced.vms[0]?.warnings).toContainEqual({
      code: 'vm.forced_off',
      message: 'stubborn did not shut down within 2 s; the plug is pulled.',
    });
  });

  test('without Tools loses its plug by --force-off, which says so', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(migrateArgs('no-tools', '--force-off'));
    await done(lab, ended, 'no-tools');
    expect(ended.stderr).toMatch(/^warning .*no VMware Tools.*plug is pulled.* \(vm\.forced_off\)/m);
    expect(powerCommands(lab)).toEqual(['shutdown', 'off']);
  });
});

describe.concurrent('the cloud', () => {
  test.each([
    ['when the image is made', { service: 'image', method: 'POST' }],
    ['when the image is sent', { service: 'image', method: 'PUT', path: '/file$' }],
    ['when the volume is made', { service: 'block-storage', method: 'POST' }],
    ['when the port is made', { service: 'network', method: 'POST' }],
    ['when the server is made', { service: 'compute', method: 'POST', path: '/servers$' }],
    ['when a volume is waited for', { service: 'block-storage', path: '/volumes/[0-9a-f-]+$' }],
    ['when the console is read', { service: 'compute', path: '/action$' }],
  ] as const)('forgets the token %s: a new one is asked for', async (_when, match) => {
    const lab = await peers.lab();
    lab.cloud.fault({ match, action: { kind: 'expire-tokens' } });
    await done(lab, await lab.run(migrateArgs('web01')));
    expect(requests(lab, 'POST', 'identity', /tokens/)).toHaveLength(2);
  });

  test('gives tokens that live for seconds', async () => {
    const lab = await peers.lab({ cloud: { tokenLifetimeSeconds: 3, delays: { volume: 2000 } } });
    await done(lab, await lab.run(migrateArgs('web01')));
    expect(requests(lab, 'POST', 'identity', /tokens/).length).toBeGreaterThan(1);
  });

  test.each([500, 502, 503, 429, 409])('answers an upload with %i once: it is sent again', async (status) => {
    const lab = await peers.lab();
    const headers = { 'retry-after': '1' };
    lab.cloud.fault({
      match: { service: 'image', method: 'PUT', path: '/file$' },
      action: { kind: 'status', status, headers },
    });
    await done(lab, await lab.run(migrateArgs('web01')));
    expect(requests(lab, 'PUT', 'image', /\/file$/)).toHaveLength(3);
  });

  test.each([
    ['500 for ever', 500, 'cloud.server_error'],
    ['413', 413, 'cloud.image_too_large'],
    ['403', 403, 'cloud.forbidden'],
  ])(
    'answers each upload with %s: an error with the request id, then nothing is left by a rollback',
    async (_what, status, code) => {
      const lab = await peers.lab();
      lab.cloud.fault({
        match: { service: 'image', method: 'PUT', path: '/file$', times: 0 },
        action: { kind: 'status', status },
      });
      const result = failed(await lab.run(migrateArgs('web01')), code);
      expect(result.vms[0]?.error?.message).toMatch(/req-[0-9a-f-]{36}/);
      lab.cloud.clearFaults();
      const back = await lab.run(['rollback', result.run]);
      expect(back.code, back.stderr).toBe(0);
      expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
    },
  );

  test.each([
    ['by a reset', { kind: 'cut-upload', bytes: 2 * MIB }],
    ['with 503 in the middle', { kind: 'refuse-upload', bytes: 2 * MIB, status: 503 }],
    ['after its last byte, the answer being lost', { kind: 'reset', after: 'effect' }],
  ] as const)('ends an upload %s: one image, whole', async (_how, action) => {
    const lab = await peers.lab();
    lab.cloud.fault({ match: { service: 'image', method: 'PUT', path: '/file$' }, action });
    await done(lab, await lab.run(migrateArgs('web01')));
    const puts = requests(lab, 'PUT', 'image', /\/file$/);
    // What was whole before its answer was lost is not sent a second time.
    expect(puts).toHaveLength(action.kind === 'reset' ? 2 : 3);
  });

  test('has a limit below the image: 413, told as such', async () => {
    const lab = await peers.lab({ cloud: { imageSizeCapBytes: 4 * MIB } });
    failed(await lab.run(migrateArgs('web01')), 'cloud.image_too_large');
  });

  test.each([
    ['image', 'image', '/images$'],
    ['volume', 'block-storage', '/volumes$'],
    ['port', 'network', '/ports$'],
    ['server', 'compute', '/servers$'],
  ] as const)('loses the answer to the POST of the %s: nothing is made twice', async (_what, service, path) => {
    const lab = await peers.lab();
    lab.cloud.fault({ match: { service, method: 'POST', path }, action: { kind: 'reset', after: 'effect' } });
    let ended = await lab.run(migrateArgs('web01'));
    if (ended.code !== 0) ended = await lab.run(['migrate', '--resume', '-f', 'json']);
    await done(lab, ended);
    const wanted = ONE_OF_EACH[`${_what}s`];
    expect(requests(lab, 'POST', service, new RegExp(path))).toHaveLength(wanted);
  });

  test.each([
    ['volume', 'block-storage', '/volumes$'],
    ['port', 'network', '/ports$'],
    ['server', 'compute', '/servers$'],
  ] as const)(
    'does not hear the POST of the %s, then is away: resume makes exactly one',
    async (_what, service, path) => {
      const lab = await peers.lab();
      lab.cloud.fault({ match: { service, method: 'POST', path }, action: { kind: 'reset' } });
      const first = await lab.run(migrateArgs('web01'));
      const ended = first.code === 0 ? first : await lab.run(['migrate', '--resume', '-f', 'json']);
      await done(lab, ended);
    },
  );

  test('answers reads with 503 and 429 now and then', async () => {
    const lab = await peers.lab();
    const headers = { 'retry-after': '1' };
    for (const [service, status] of [
      ['compute', 503],
      ['network', 429],
      ['block-storage', 502],
      ['image', 503],
    ] as const) {
      lab.cloud.fault({ match: { service, method: 'GET', nth: 2 }, action: { kind: 'status', status, headers } });
    }
    await done(lab, await lab.run(migrateArgs('web01')));
  });

  test('checks that content is of the declared format: an honest upload passes, a lying one is refused', async () => {
    const lab = await peers.lab({ cloud: { refuseFormatMismatch: true } });
    for (const format of ['raw', 'qcow2']) {
      const result = resultOf(await lab.run(migrateArgs('web01', '--again', '--image-format', format)));
      await expectSourceBytes(lab, 'web01', result);
    }
    const before = counts(lab).images;
    const file = join(lab.dir, 'lying.raw');
    await writeFile(file, Buffer.alloc(MIB, 0x5a));
    const lying = await lab.run(['upload', file, '--disk-format', 'qcow2', '-f', 'json']);
    expect(lying.code, lying.stderr).not.toBe(0);
    expect(lying.stderr).toMatch(/\(usage\)/);
    expect(counts(lab).images).toBe(before);
    // A file that changes its kind after it was looked at is for Glance to catch.
    lab.cloud.fault({
      match: { service: 'image', method: 'PUT', path: '/file$' },
      action: {
        kind: 'status',
        status: 415,
        body: '<html><body>Image disk_format qcow2 does not match stream data raw</body></html>',
      },
    });
    const refused = await lab.run(migrateArgs('web01', '--again', '--image-format', 'qcow2'));
    failed(refused, 'cloud.image_refused');
    expect(refused.stderr).toContain('does not match stream data raw');
  });

  test('cannot make the volume: its own words are shown, and resume goes on when it can', async () => {
    const lab = await peers.lab({ cloud: { volumeOutcome: 'error' } });
    const result = failed(await lab.run(migrateArgs('web01')), 'cloud.volume_failed');
    expect(result.vms[0]?.error?.message).toContain('Could not find any available weighted backend');
    lab.cloud.settings.volumeOutcome = 'ok';
    await done(lab, await lab.run(['migrate', '--resume', '-f', 'json']));
    expect(requests(lab, 'PUT', 'image', /\/file$/)).toHaveLength(2);
  });

  test('never finishes a volume: the wait ends, and its remedy is named', async () => {
    const lab = await peers.lab({ cloud: { volumeOutcome: 'stuck' } });
    const result = failed(await lab.run(migrateArgs('web01', '--timeout-volume', '3')), 'cloud.volume_timeout');
    expect(result.vms[0]?.error?.message).toContain('creating');
    expect(result.vms[0]?.error?.hint).toContain('--timeout-volume');
  });

  test('cannot start the server: Nova’s fault is shown, and resume makes it anew', async () => {
    const lab = await peers.lab({ cloud: { serverOutcome: 'error' } });
    const result = failed(await lab.run(migrateArgs('web01')), 'cloud.server_failed');
    expect(result.vms[0]?.error?.message).toContain('No valid host was found');
    lab.cloud.settings.serverOutcome = 'ok';
    await done(lab, await lab.run(['migrate', '--resume', '-f', 'json']));
  });

  test('never finishes the server: the wait ends', async () => {
    const lab = await peers.lab({ cloud: { serverOutcome: 'stuck' } });
    const result = failed(await lab.run(migrateArgs('web01', '--timeout-server', '3')), 'cloud.server_timeout');
    expect(result.vms[0]?.error?.hint).toContain('--timeout-server');
  });

  test('shows a console without a login: boot not proved, which is no success', async () => {
    const lab = await peers.lab({ cloud: { console: { text: 'Linux version 6.1\n[ 1.0] still here\n' } } });
    const first = await lab.run(migrateArgs('web01', '--timeout-console', '3'));
    const result = failed(first, 'boot.not_proved');
    expect(result.state).toBe('failed');
    expect(counts(lab)).toEqual(ONE_OF_EACH);
    const second = await lab.run(['migrate', '--resume', '--wait-for', 'active', '-f', 'json']);
    const proved = await done(lab, second);
    expect(proved.vms[0]?.boot).toEqual({ proved: false, by: 'active', seen: '' });
    expect(second.stderr).toContain('boot not proved');
  });

  test('shows a guest that did not boot: what its console says and what it means', async () => {
    const text = 'ALERT!  UUID=1234 does not exist.  Dropping to a shell!\n(initramfs) ';
    const lab = await peers.lab({ cloud: { console: { text } } });
    const result = failed(await lab.run(migrateArgs('web01')), 'boot.failed');
    expect(result.vms[0]?.error?.hint).toContain('virtio_scsi');
  });

  test('has no console: boot not proved', async () => {
    const lab = await peers.lab({ cloud: { console: 'unsupported' } });
    const ended = await lab.run(migrateArgs('web01', '--timeout-console', '3'));
    failed(ended, 'boot.not_proved');
  });
});

describe.concurrent('this machine', () => {
  const mounted: string[] = [];
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  // Skipped where nobody may mount: scripts/test names what it skipped, and fails for it in CI.
  const testWithMount = test.runIf(!execaSync('env', [...asRoot, 'true'], { reject: false }).failed);
  afterAll(async () => {
    for (const path of mounted) await execa('env', [...asRoot, 'umount', '-l', path], { reject: false });
  });

  /** A file system of so many MiB. */
  async function tinyDisk(lab: Lab, mebibytes: number): Promise<string> {
    const path = join(lab.dir, 'tiny');
    await mkdir(path);
    const size = `size=${mebibytes}m`;
    const words = [...asRoot, 'mount', '-t', 'tmpfs', '-o', `${size},mode=0777`, 'tmpfs', path];
    const result = await execa('env', words, { reject: false });
    if (result.failed) throw new Error(`a full disk cannot be tried here: ${result.stderr}`);
    mounted.push(path);
    return path;
  }

  testWithMount('has too little room: told before a byte moves', async () => {
    const lab = await peers.lab();
    const output = await tinyDisk(lab, 1);
    const ended = await lab.run(migrateArgs('slow', '--output', output));
    expect(ended.code, ended.stderr).not.toBe(0);
    expect(ended.stderr).toMatch(/\(converter\.space\)\n.*(--output|room)/);
    expect(diskReads(lab.host)).toEqual([]);
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  testWithMount(
    'has its disk filled by another while the copy runs: an error, and it goes on when there is room',
    async () => {
      const lab = await peers.lab();
      const output = await tinyDisk(lab, 64);
      lab.host.faults.bytesPerSecond(6 * MIB);
      const running = lab.start(['export', '--vm', 'web01', '--output', output, '-f', 'json']);
      await until(() => diskReads(lab.host).some((read) => read.bytes > MIB), running);
      await execa('dd', ['if=/dev/zero', `of=${output}/other`, 'bs=1M'], { reject: false });
      await lab.host.faults.clear();
      const ended = await running.ended;
      expect(ended.code, ended.stderr).toBe(1);
      expect(ended.stderr).toMatch(/\(converter\.space\)/);
      await execa('rm', [`${output}/other`]);
      const again = await lab.run(['export', '--vm', 'web01', '--output', output, '-f', 'json']);
      expect(again.code, again.stderr).toBe(0);
    },
  );

  test('is told to stop once: exit 130, no child left, and the same command goes on', async () => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(16 * MIB);
    const running = lab.start(migrateArgs('slow', '--streams', '1', ...staged(lab)));
    await until(() => diskReads(lab.host).reduce((sum, read) => sum + read.bytes, 0) > 66 * MIB, running);
    running.child.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(130);
    expect(migrationResult.parse(JSON.parse(ended.stdout)).state).toBe('stopped');
    expect(ended.stderr).toMatch(/Stopping cleanly[^]*\(interrupted\)/);
    expect(await noChildren(running.child.pid ?? 0)).toBe(true);
    await lab.host.faults.clear();
    lab.host.resetLog();
    await done(lab, await lab.run(migrateArgs('slow', ...staged(lab))), 'slow', oneDisk);
    expect(diskReads(lab.host)).toHaveLength(1);
    expect(wholeMib(diskReads(lab.host))).toBe(96 - 64);
  });

  test.each([
    ['while an image is sent', /\/file$/, {}],
    ['while a volume is made', /\/volumes$/, { volume: 4000 }],
    ['while a server is made', /\/servers$/, { server: 4000 }],
  ])('is told to stop %s', async (_when, path, delays) => {
    const lab = await peers.lab({ cloud: { delays } });
    if (path.source.includes('file')) {
      lab.cloud.fault({ match: { method: 'PUT', path: '/file$' }, action: { kind: 'stall', ms: 2000 } });
    }
    const running = lab.start(migrateArgs('web01'));
    await until(() => lab.cloud.requests().some((entry) => entry.method !== 'GET' && path.test(entry.path)), running);
    running.child.kill('SIGTERM');
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(130);
    await done(lab, await lab.run(['migrate', '--resume', '-f', 'json']));
  });

  test('is told to stop before the first step: nothing is left, and nothing else is said', async () => {
    const lab = await peers.lab();
    lab.cloud.fault({ match: { service: 'compute', path: '/flavors/detail' }, action: { kind: 'stall', ms: 60_000 } });
    const running = lab.start(migrateArgs('web01'));
    await until(() => requests(lab, 'GET', 'compute', /\/flavors\/detail/).length > 0, running);
    running.child.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(130);
    expect(JSON.parse(ended.stdout)).toMatchObject({ run: null, state: 'stopped' });
    expect(ended.stderr).toMatch(/no run to go on with\. \(interrupted\)/);
    expect(ended.stderr).not.toMatch(/goes on|Go on|^Run /m);
    expect(await readdir(join(lab.stateDir, 'runs'))).toEqual([]);
  });

  test.each(['raw', 'qcow2'])(
    'has a %s edited, size and time kept, before it is sent: no image of it',
    async (format) => {
      const lab = await peers.lab();
      lab.cloud.fault({
        match: { service: 'image', method: 'POST', path: '/images$' },
        action: { kind: 'stall', ms: 10_000 },
      });
      const running = lab.start(migrateArgs('web01', '--image-format', format, ...staged(lab)));
      await until(() => requests(lab, 'POST', 'image', /\/images$/).length > 0, running);
      const [run = ''] = await readdir(join(lab.stateDir, 'runs'));
      const edited = join(lab.dir, 'out', `scsi0-0.${format}`);
      await editUnseen(edited);
      const result = failed(await running.ended, 'upload.file_changed');
      expect(result.vms[0]?.image_ids).toEqual([]);
      expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
      await rm(edited); // it is the user's folder
      const again = await done(lab, await lab.run(migrateArgs('web01', ...staged(lab))));
      expect(again.run).toBe(run);
      const word = format === 'raw' ? 'content hash' : 'qcow2';
      expect(again.vms[0]?.proof[0]?.compared).toMatch(
        new RegExp(`^sha512 of the bytes sent with Glance's; .*${word}`),
      );
    },
  );

  test('is told to stop twice: at once', async () => {
    const lab = await peers.lab();
    lab.host.faults.stallAfterBytes(MIB);
    const running = lab.start(migrateArgs('slow', '--trust-map', 'never'));
    await until(() => diskReads(lab.host).some((read) => read.bytes >= MIB / 2), running);
    running.child.kill('SIGINT');
    await sleep(20);
    running.child.kill('SIGINT');
    const start = Date.now();
    expect((await running.ended).code).toBe(130);
    expect(Date.now() - start).toBeLessThan(5_000);
    await lab.host.faults.clear();
    await done(lab, await lab.run(migrateArgs('slow')), 'slow', oneDisk);
  });

  test('shows a run live to a second terminal, and lets no second program work on it', async () => {
    const lab = await peers.lab();
    lab.host.faults.bytesPerSecond(12 * MIB);
    const running = lab.start(migrateArgs('slow', '--streams', '1', '--trust-map', 'never'));
    await until(() => diskReads(lab.host).some((read) => read.bytes > 24 * MIB), running);
    lab.host.faults.bytesPerSecond(MIB / 4); // the copy goes on all the while that other programs start, however slowly
    const status = await lab.run(['status', '-f', 'json']);
    const run = (JSON.parse(status.stdout) as { run: string }).run;
    const live = statusResult.parse(JSON.parse((await lab.run(['status', run, '-f', 'json'])).stdout));
    expect(live.state).toBe('running');
    expect(live.progress?.worker).toBe(running.child.pid);
    const [task] = live.progress?.tasks ?? [];
    expect(task).toMatchObject({ total: 96 * MIB });
    expect(task?.done).toBeGreaterThan(0);
    expect(task?.done).toBeLessThan(96 * MIB);
    expect(task?.rate).toBeGreaterThan(0);
    const table = await lab.run(['status', run]);
    expect(table.stdout).toMatch(/^now .*\d+ %/m);
    expect(table.stdout).toContain(`process ${running.child.pid ?? 0}`);

    for (const args of [migrateArgs('slow'), ['rollback', run], ['convert', '--run', run]]) {
      const second = await lab.run(args);
      expect(second.code, second.stderr).toBe(1);
      expect(second.stderr).toMatch(/\(run\.locked\)\n.*stackferry status/);
    }
    await lab.host.faults.clear();
    await done(lab, await running.ended, 'slow', oneDisk);
    expect(existsSync(join(lab.stateDir, 'runs', run, 'report.json'))).toBe(true);
  });
});
