import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guidePage, guideScript, type GuideInput } from '../../../src/migration/guide/index.js';
import { temporaryFolders } from '../helpers.js';
import { fakePrograms, type FakePrograms, type Ran } from './fake-programs.js';
import { GIB, PROJECT, UUID, disk, guideInput, image, port, volume } from './sample-guide.js';

const folder = temporaryFolders();

/** Programs for a guide, and the host's files that it names, each with its own path for content. */
async function peersOf(input: GuideInput): Promise<FakePrograms> {
  const power = input.vm.power_state === 'on' ? 'on' : 'off';
  const links = input.disks[0]?.links.length ?? 1;
  const peers = await fakePrograms(await folder(), { project: PROJECT, uuid: UUID, power, size: 40 * GIB, links });
  for (const path of filesOf(input)) {
    const file = path.replace('/vmfs/volumes', peers.volumes);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, path);
  }
  return peers;
}

function filesOf(input: GuideInput): string[] {
  return input.disks.flatMap((item) => item.links.flatMap((link) => [link.descriptor, ...link.extents]));
}

function expectWell(ran: Ran): void {
  expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
}

/** The lines of the page's code blocks up to its last chapter, as they are pasted. */
function pasted(page: string): string {
  const until = page.slice(0, page.indexOf('\n## Take it all back'));
  const blocks = [...until.matchAll(/(?:\*\*(check|undo):\*\*[^\n]*\n\n)?^(`{3,})sh\n([^]*?)\n\2$/gm)];
  const lines = blocks.filter(([, kind]) => kind !== 'undo').map(([, , , text]) => text ?? '');
  return lines.filter((text) => !/^(lsblk|rm -rf )/.test(text)).join('\n');
}

/** What the calls do; looks are made a different number of times. */
const changes = (calls: string[][]) =>
  calls.filter(
    (call) =>
      /^(openstack (image (create|unset)|volume (create|set)|port create|server create)|qemu-img)/.test(
        call.join(' ').replace(/--os-compute-api-version \S+ /, ''),
      ) || call.some((word) => word.startsWith('cat ')),
  );
/** No half of a surrogate pair: such a text has no bytes. */
const whole = (name: string) => !/\p{Surrogate}/u.test(name);
const local = (calls: string[][]) =>
  calls.map((call) => call.map((word) => word.replace(/\.part$/, '').replace(/^ControlPath=.*/, 'ControlPath')));

const two = () =>
  guideInput({
    disks: [disk('scsi0:0', 'web01/web01'), disk('scsi0:1', 'web01/web01_1')],
    images: [image('scsi0:0'), image('scsi0:1')],
    volumes: [volume('scsi0:0'), volume('scsi0:1')],
  });

describe('the script', () => {
  it('makes all, and makes nothing twice when it is run again', async () => {
    const input = two();
    const peers = await peersOf(input);
    expectWell(await peers.run('sh', guideScript(input)));
    const ids = await readFile(join(peers.cwd, 'web01-12/ids'), 'utf8');
    expect(ids.split('\n').map((line) => line.replace(/=.*/, ''))).toEqual([
      `# esx1 12 ${UUID} ${PROJECT}`,
      'IMAGE0',
      'IMAGE1',
      'VOLUME0',
      'VOLUME1',
      'PORT0',
      'SERVER',
      '',
    ]);
    const first = await peers.calls();
    const server = first.find((call) => call.includes('server') && call.includes('create'));
    expect(server).toEqual([
      ...['openstack', '--os-compute-api-version', '2.90', 'server', 'create', 'web01', '--flavor', 'SCS-2V-4'],
      ...['--volume', '00000000-0000-4000-8000-000000000003', '--block-device'],
      'uuid=00000000-0000-4000-8000-000000000004,source_type=volume,destination_type=volume,boot_index=-1,delete_on_termination=false',
      ...['--port', '00000000-0000-4000-8000-000000000005', '--hostname', 'web01'],
      ...['--property', 'stackferry_vm=web01', '-f', 'value', '-c', 'id'],
    ]);
    expectWell(await peers.run('sh', guideScript(input)));
    const again = (await peers.calls()).slice(first.length);
    expect(again.filter((call) => call.includes('create') || call.includes('convert'))).toEqual([]);
    expect(again.filter((call) => call.some((word) => word.startsWith('cat ')))).toEqual([]);
  });

  it('takes back what it made, newest first, once the name is typed', async () => {
    const input = two();
    const peers = await peersOf(input);
    expectWell(await peers.run('sh', guideScript(input)));
    const before = (await peers.calls()).length;
    const refused = await peers.run('sh', guideScript(input), ['undo'], 'web02\n');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('STOPPED: not deleted');
    expectWell(await peers.run('sh', guideScript(input), ['undo'], 'web01\n'));
    const deleted = (await peers.calls()).slice(before).filter((call) => call.includes('delete'));
    const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    expect(deleted.map((call) => call.slice(1).join(' '))).toEqual([
      `server delete --wait ${id(6)}`,
      `port delete ${id(5)}`,
      `volume delete ${id(4)}`,
      `volume delete ${id(3)}`,
      `image delete ${id(2)}`,
      `image delete ${id(1)}`,
    ]);
    await expect(readFile(join(peers.cwd, 'web01-12/ids'))).rejects.toThrow(/ENOENT/);
  });

  it('shuts a running VM down first, and waits', async () => {
    const input = guideInput({ vm: { ...guideInput().vm, power_state: 'on' } });
    const peers = await peersOf(input);
    expectWell(await peers.run('sh', guideScript(input)));
    const words = (await peers.calls()).map((call) => call.join(' '));
    const down = words.findIndex((line) => line.includes('vmsvc/power.shutdown 12'));
    expect(down).toBeGreaterThan(0);
    expect(words.findIndex((line) => line.includes('cat '))).toBeGreaterThan(down);
    expect(words.findLastIndex((line) => line.includes('power.getstate'))).toBeLessThan(
      words.findIndex((line) => line.includes('server create')),
    );
  });

  it.each([
    ['another VM has its number', { uuid: '564d0000-0000-4000-8000-000000000000' }, 'VM 12 of the host is not web01'],
    ['the login is to another project', { project: 'dead' }, 'the login is not to project acme'],
    ['the VM runs', { power: 'on' as const }, 'web01 is not off: shut it down first'],
    ['the image has another size', { size: 1 }, 'scsi0-0.qcow2 has another size than the disk'],
    ['the host shows another key', { fingerprint: 'SHA256:other' }, 'esx1 shows another host key than SHA256:other'],
  ])('stops, and makes nothing in the cloud, where %s', async (_, odd, message) => {
    const facts = { project: PROJECT, uuid: UUID, power: 'off' as const, size: 40 * GIB, links: 1, ...odd };
    const { host } = guideInput();
    const input = guideInput('fingerprint' in odd ? { host: { ...host, fingerprint: odd.fingerprint } } : {});
    const peers = await fakePrograms(await folder(), facts);
    for (const path of filesOf(input)) {
      await mkdir(dirname(path.replace('/vmfs/volumes', peers.volumes)), { recursive: true });
      await writeFile(path.replace('/vmfs/volumes', peers.volumes), path);
    }
    const ran = await peers.run('sh', guideScript(input));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`STOPPED: ${message}`);
    expect((await peers.calls()).filter((call) => call.includes('create'))).toEqual([]);
  });

  it('does nothing at all where the VM cannot move', async () => {
    const blocker = {
      code: 'vm.suspended',
      severity: 'blocker' as const,
      subject: 'vm',
      message: "It is 'suspended' \\n $(id).",
      remedy: 'Wake it.',
    };
    const input = { ...two(), findings: [blocker], blockers: [blocker] };
    const peers = await peersOf(input);
    const ran = await peers.run('sh', guideScript(input));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toBe(
      "It is 'suspended' \\n $(id). Wake it. (vm.suspended)\nSTOPPED: this VM cannot move as it is (see above); remove what stands in the way, and make this script anew\n",
    );
    expect(await peers.calls()).toEqual([]);
  });

  it('stops where a file did not arrive whole, or is not there', async () => {
    const input = guideInput();
    const peers = await peersOf(input);
    const copy = join(peers.cwd, 'web01-12/scsi0-0');
    await mkdir(copy, { recursive: true });
    await writeFile(join(copy, 'web01-flat.vmdk'), 'half');
    const ran = await peers.run('sh', guideScript(input));
    expect(ran.stderr).toContain('STOPPED: scsi0-0/web01-flat.vmdk is not what lies on the host');
    const missing = guideInput({ disks: [disk('scsi0:0', 'web01/other')] });
    const second = await peers.run('sh', guideScript({ ...missing, vm: { ...missing.vm, id: '13' } }));
    expect(second.code).not.toBe(0);
    expect((await peers.calls()).filter((call) => call.includes('create') || call.includes('convert'))).toEqual([]);
  });

  it('does not take up what another VM or project has left', async () => {
    const peers = await peersOf(guideInput());
    await mkdir(join(peers.cwd, 'web01-12'));
    await writeFile(join(peers.cwd, 'web01-12/ids'), '# esx9 12 other\nSERVER=x\n');
    const ran = await peers.run('sh', guideScript(guideInput()));
    expect(ran.stderr).toMatch(/STOPPED: .*web01-12\/ids is of another VM or project/);
  });

  it('makes a flavor only where it is not there', async () => {
    const input = guideInput({ server: { flavor: 'stackferry-3-1234', create_flavor: { vcpus: 3, ram_mib: 1234 } } });
    const peers = await peersOf(input);
    expectWell(await peers.run('sh', guideScript(input)));
    expectWell(await peers.run('sh', guideScript(input)));
    expect((await peers.calls()).filter((call) => call[1] === 'flavor' && call[2] === 'create')).toHaveLength(1);
  });
});

describe('any names', () => {
  const text = fc
    .oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      fc.constantFrom(
        "it's",
        '-x',
        'a b',
        '$(id > pwned)',
        '`id > pwned`',
        'größe "2"',
        '\\',
        '!!',
        '*',
        "'; id > pwned; '",
        '# x',
        'a\nid > pwned\n',
      ),
    )
    .filter((name) => !name.includes('\0'));
  const fileName = text
    .map((name) => name.replaceAll('/', '_').slice(0, 20))
    .filter((name) => name !== '.' && name !== '..' && whole(name));
  const names = fc.record({
    vm: text,
    folder: fileName,
    file: fileName,
    server: text,
    network: text,
    group: text,
    type: text,
    value: text,
    key: text,
    user: fc.constantFrom('root', "o'neil", 'a b'),
  });

  function inputOf(name: typeof names extends fc.Arbitrary<infer T> ? T : never): GuideInput {
    return guideInput({
      vm: { ...guideInput().vm, name: name.vm },
      host: { host: 'esx1', port: 2022, user: name.user, fingerprint: null },
      disks: [disk('scsi0:0', `${name.folder}/${name.file}`)],
      images: [image('scsi0:0', { name: name.server, properties: { image_description: name.value } })],
      volumes: [volume('scsi0:0', { name: name.server, type: name.type, zone: name.type })],
      ports: [port('ethernet0', { name: name.server, network: name.network, security_groups: [name.group] })],
      server: {
        name: name.server,
        flavor: name.type,
        key_name: name.key,
        metadata: { stackferry_vm: name.value },
        tags: [name.key],
      },
    });
  }

  it('arrive at the programs exactly as they are, from the script and from the page', async () => {
    await fc.assert(
      fc.asyncProperty(names, async (name) => {
        fc.pre(Object.values(name).every((value) => whole(value)));
        const input = inputOf(name);
        const runs = await Promise.all(
          (['sh', 'bash'] as const).map(async (shell) => {
            const peers = await peersOf(input);
            expectWell(await peers.run(shell, shell === 'sh' ? guideScript(input) : pasted(guidePage(input))));
            return { peers, calls: await peers.calls() };
          }),
        );
        const [byScript, byPage] = runs;
        const calls = byScript?.calls ?? [];
        const has = (...words: string[]) => {
          expect(
            calls.some((call) => words.every((word) => call.includes(word))),
            words.join(' '),
          ).toBe(true);
        };
        const given = (option: string, value: string) =>
          value.startsWith('-') ? [`${option}=${value}`] : [option, value];
        has('openstack', 'image', 'create', name.server, '--property', `image_description=${name.value}`);
        has(
          'openstack',
          'volume',
          name.server,
          ...given('--type', name.type),
          ...given('--availability-zone', name.type),
        );
        has(
          'openstack',
          'port',
          name.server,
          ...given('--network', name.network),
          ...given('--security-group', name.group),
        );
        has('openstack', 'server', name.server, `stackferry_vm=${name.value}`, ...given('--flavor', name.type));
        has('openstack', 'server', ...given('--key-name', name.key), ...given('--tag', name.key));
        has('ssh', '-p', '2022', `${name.user}@esx1`);
        has('qemu-img', 'convert', `scsi0-0/${name.file}.vmdk`);
        expect(local(changes(byPage?.calls ?? []))).toEqual(local(changes(calls)));
        // What was read on the host is what was meant: each file there holds its own path.
        const here = calls.find((call) => call[1] === 'compare')?.at(-2) ?? '';
        const folderName = /^mkdir -p (\S+)$/m.exec(guideScript(input))?.[1] ?? '';
        const copy = await readFile(join(byScript?.peers.cwd ?? '', folderName, here), 'utf8');
        expect(copy).toBe(`/vmfs/volumes/datastore1/${name.folder}/${name.file}.vmdk`);
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  it('leave the script well-formed', async () => {
    const peers = await peersOf(guideInput());
    await fc.assert(
      fc.asyncProperty(names, fc.boolean(), async (name, start) => {
        fc.pre(Object.values(name).every((value) => whole(value)));
        const input = inputOf(name);
        const script = guideScript(input.server ? { ...input, server: { ...input.server, start } } : input);
        // -n: reads all of it, and runs nothing.
        const ran = await peers.run('sh', `exec sh -n "$1"`, [await kept(script)]);
        expectWell(ran);
      }),
      { numRuns: 40 },
    );
    async function kept(script: string): Promise<string> {
      const file = join(peers.cwd, 'script');
      await writeFile(file, script);
      return file;
    }
  }, 60_000);
});

describe('onto attached volumes', () => {
  const input = () => ({ ...two(), via: 'cinder' as const });
  const written = (calls: string[][]) =>
    calls.filter(([program, verb]) => program === 'qemu-img' && verb === 'convert');
  const attached = (calls: string[][], verb: string) =>
    calls.filter((call) => call.slice(0, 4).join(' ') === `openstack server ${verb} volume`);

  it('attaches, writes and detaches each, and does none of it twice when it is run again', async () => {
    const peers = await peersOf(input());
    expectWell(await peers.run('sh', guideScript(input())));
    const first = await peers.calls();
    expect(written(first)).toHaveLength(2);
    expect(written(first)[0]?.at(-1)).toMatch(/dev-00000000-0000-4000-8000-/);
    expect(attached(first, 'add').map((call) => call[4])).toEqual(
      Array.from({ length: 2 }, () => '5ad690eb-d744-40c8-82ab-d0baf6086e22'),
    );
    expect(attached(first, 'remove')).toHaveLength(2);
    expect(first.filter((call) => call.includes('image'))).toEqual([]);
    expectWell(await peers.run('sh', guideScript(input())));
    const again = await peers.calls();
    expect([written(again).length, attached(again, 'add').length]).toEqual([2, 2]);
    expectWell(await peers.run('sh', guideScript(input()), ['undo'], 'web01\n'));
    expect(
      (await peers.calls()).filter((call) => call.slice(0, 3).join(' ') === 'openstack volume delete'),
    ).toHaveLength(2);
  });

  it('stops where a volume cannot be attached, writes nothing, and takes back what it made', async () => {
    const peers = await peersOf(input());
    await writeFile(join(peers.env['FAKE'] ?? '', 'deaf'), '');
    const ran = await peers.run('sh', guideScript(input()));
    expect(ran.code).not.toBe(0);
    expect(written(await peers.calls())).toEqual([]);
    expectWell(await peers.run('sh', guideScript(input()), ['undo']));
    expect(
      (await peers.calls()).filter((call) => call.slice(0, 3).join(' ') === 'openstack volume delete'),
    ).toHaveLength(1);
  });

  it('the lines of the page do the same', async () => {
    const [peers, other] = [await peersOf(input()), await peersOf(input())];
    expectWell(await peers.run('sh', guideScript(input())));
    expectWell(await other.run('bash', `set -e\n${pasted(guidePage(input()))}`));
    const plainly = (calls: string[][]) =>
      local(changes(calls)).map((call) => call.map((word) => word.replace(/^.*\/dev-/, 'dev-')));
    expect(plainly(await other.calls())).toEqual(plainly(await peers.calls()));
  });
});
