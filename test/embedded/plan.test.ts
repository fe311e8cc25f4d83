import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import {
  ONE_OF_EACH,
  counts,
  expectSourceBytes,
  migrateArgs,
  resultOf,
  smallVm,
  usePeers,
  type Lab,
} from '../support/embedded.js';
import { migrationResult } from '../support/contract.js';

const peers = usePeers({ vms: [smallVm('web01'), smallVm('web02'), smallVm('db01', { power: 'on' })] });
const NETWORK = ['--network', 'VM Network=lab-net'];
const changing = (lab: Lab) =>
  lab.cloud.requests().filter(({ method, path }) => method !== 'GET' && !path.endsWith('/auth/tokens'));
/** Remote commands that change the host: none of the program's own but the power ones. */
const powering = (lab: Lab) => lab.host.commands.filter(({ command }) => command.includes('vmsvc/power.'));

async function planned(lab: Lab, ...args: string[]): Promise<string> {
  const path = join(lab.dir, 'plan.yaml');
  const ended = await lab.run(['plan', ...args, ...NETWORK, '-o', path]);
  expect(ended.code, ended.stderr).toBe(0);
  return path;
}

describe.concurrent('a plan', () => {
  test('run from its file makes what migrate makes by options, and again makes nothing', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01', '--security-group', 'web_ssh');
    expect(changing(lab)).toEqual([]);
    const result = resultOf(await lab.run(['migrate', path, '--yes', '-f', 'json']));
    expect(counts(lab)).toEqual(ONE_OF_EACH);
    await expectSourceBytes(lab, 'web01', result);
    const other = await peers.lab();
    const direct = resultOf(await other.run(migrateArgs('web01', '--security-group', 'web_ssh')));
    const shape = (one: typeof result, at: Lab) => ({
      volumes: one.vms[0]?.volumes.map(({ label, size_gib, content_hash }) => [label, size_gib, content_hash]),
      names: [at.cloud.state.volumes, at.cloud.state.ports, at.cloud.state.servers].map((list) =>
        list.map((item) => item.name).sort(),
      ),
      flavor: at.cloud.state.servers.map(
        (server) => at.cloud.state.flavors.find((flavor) => flavor.id === server.flavor_id)?.name,
      ),
      macs: one.vms[0]?.ports.map((port) => port.mac),
      properties: at.cloud.state.volumes.map((volume) => ({
        ...volume.image_metadata,
        image_build_date: '?',
        image_id: '?',
        stackferry_run: '?',
      })),
    });
    expect(shape(result, lab)).toEqual(shape(direct, other));
    const again = resultOf(await lab.run(['migrate', path, '--yes', '-f', 'json']));
    expect(again.vms[0]?.server_id).toBe(result.vms[0]?.server_id);
    expect(counts(lab)).toEqual(ONE_OF_EACH);
  });

  test('moves its VMs one after another; one that fails is told, and costs the others nothing', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01', '--vm', 'db01', '--vm', 'web02');
    const ended = await lab.run(['migrate', path, '--yes', '-f', 'json']);
    expect(ended.code, ended.stderr).toBe(4);
    const shape = z.looseObject({
      run: z.null(),
      state: z.literal('failed'),
      vms: z.array(
        z.looseObject({
          vm: z.string(),
          state: z.string(),
          run: z.string().nullable(),
          error: z.looseObject({ code: z.string() }).nullable(),
        }),
      ),
    });
    const result = shape.parse(JSON.parse(ended.stdout));
    expect(result.vms.map(({ vm, state, error }) => [vm, state, error?.code ?? null])).toEqual([
      ['web01', 'done', null],
      ['db01', 'failed', 'vm.powered_on'],
      ['web02', 'done', null],
    ]);
    expect(counts(lab).servers).toBe(2);
    // With --vm only these; what is done stays as it is.
    const rest = await lab.run([
      'migrate',
      path,
      '--vm',
      'db01',
      '--power-off',
      '--force-off',
      '--timeout-shutdown',
      '1',
      '--yes',
      '-f',
      'json',
    ]);
    expect(migrationResult.parse(JSON.parse(rest.stdout)).vms[0]?.state, rest.stderr).toBe('done');
    expect(counts(lab).servers).toBe(3);
  });

  test('that was edited decides; options beside it are refused', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01');
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text
        .replace('wait_for: console', 'wait_for: active')
        .replace('    server:\n      name: web01', '    server:\n      name: other'),
    );
    const refused = await lab.run(['migrate', path, '--flavor', 'SCS-2V-4', '--yes']);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('--flavor does not go together with it') as string,
    ]);
    const result = resultOf(await lab.run(['migrate', path, '--yes', '-f', 'json']));
    expect(result.vms[0]?.boot).toMatchObject({ proved: false, by: 'active' });
    expect(lab.cloud.state.servers.map((server) => server.name)).toEqual(['other']);
  });

  test('is refused where the VM or the cloud has changed materially, and --diff says what', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01', '--volume-type', 'lab-fast');
    expect((await lab.run(['plan', '--diff', path])).code).toBe(0);
    await writeFile(path, (await readFile(path, 'utf8')).replace('guest_id: debian11', 'guest_id: debian10'));
    lab.cloud.state.volumeTypes.splice(
      lab.cloud.state.volumeTypes.findIndex((type) => type.name === 'lab-fast'),
      1,
    );
    const diff = await lab.run(['plan', '--diff', path, '-f', 'json']);
    expect(diff.code, diff.stderr).toBe(3);
    const rows = z
      .array(z.looseObject({ side: z.string(), subject: z.string(), change: z.string(), material: z.boolean() }))
      .parse(JSON.parse(diff.stdout));
    // What the files hold may still settle on this file system; that is no material change.
    const material = rows.filter((row) => row.material);
    expect(material.map(({ side, subject, change }) => [side, subject, change.slice(0, 30)])).toEqual([
      ['host', 'vm', 'guest_id debian10_64Guest -> d'],
      ['cloud', 'scsi0:0', 'The plan of web01 names the vo'],
      ['cloud', 'scsi0:1', 'The plan of web01 names the vo'],
    ]);
    const ended = await lab.run(['migrate', path, '--yes', '-f', 'json']);
    expect([ended.code, ended.stderr]).toEqual([3, expect.stringContaining('(plan.outdated)') as string]);
    expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
  });

  test('--diff tells what the cloud can no longer give, by the rules of check', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01', '--vm', 'web02', '--nic', 'ethernet0=lab-net');
    const diff = async () => {
      const ended = await lab.run(['plan', '--diff', path, '-f', 'json']);
      const row = z.looseObject({ vm: z.string().nullable(), side: z.string(), code: z.string().nullable() });
      const rows = z.array(row.extend({ subject: z.string(), material: z.boolean() })).parse(JSON.parse(ended.stdout));
      const ofCloud = rows.filter(({ side }) => side === 'cloud');
      return {
        code: ended.code,
        rows: ofCloud.map(({ vm, subject, code, material }) => [vm, subject, code, material]),
      };
    };
    expect(await diff()).toEqual({ code: 0, rows: [] });
    // What migrate makes by it is not in its way.
    resultOf(await lab.run(['migrate', path, '--vm', 'web02', '--yes', '-f', 'json']));
    expect(await diff()).toEqual({ code: 0, rows: [] });
    const mac = /mac: "?([0-9a-f:]{17})/.exec(await readFile(path, 'utf8'))?.[1] ?? '';
    const [port] = lab.cloud.state.ports;
    if (!port) throw new Error('web02 has a port');
    lab.cloud.state.ports.push({
      ...port,
      id: 'p-x',
      name: 'another',
      description: '',
      mac_address: mac,
      fixed_ips: [],
    });
    expect(await diff()).toEqual({ code: 0, rows: [['web01', 'ethernet0', 'cloud.mac_taken', false]] });
    for (const project of lab.cloud.state.projects) project.quotas.volumes = 2;
    const full = await diff();
    expect(full.code).toBe(3);
    expect(full.rows).toContainEqual([null, 'cloud', 'cloud.quota', true]);
    const shown = await lab.run(['plan', '--diff', path]);
    expect(shown.stdout).toMatch(/^all +cloud +cloud +.*\(cloud\.quota\) +true/m);
    expect(shown.stderr).toContain('migrate refuses this plan. Free what is missing');
    // Taken knowingly, it is none.
    await writeFile(path, (await readFile(path, 'utf8')).replace('accept: []', 'accept: [cloud.quota]'));
    expect(await diff()).toEqual({ code: 0, rows: [['web01', 'ethernet0', 'cloud.mac_taken', false]] });
  });

  test('takes rules from a file, and writes why', async () => {
    const lab = await peers.lab();
    const rules = join(lab.dir, 'rules.yaml');
    await writeFile(
      rules,
      [
        'version: 1',
        'networks: [{ port_group: "VM*", network: lab-net }]',
        'volumes: [{ datastore: "*", type: lab-fast }]',
        'vms: [{ name: "web*", server_name: "{name}-new", tags: [moved] }]',
      ].join('\n'),
    );
    const ended = await lab.run(['plan', '--vm', 'web*', '--rules', rules]);
    expect(ended.code, ended.stderr).toBe(0);
    const plan = z
      .looseObject({
        vms: z.array(
          z.looseObject({
            server: z.looseObject({ name: z.string(), tags: z.array(z.string()) }),
            volumes: z.array(z.looseObject({ type: z.string() })),
          }),
        ),
      })
      .parse(parse(ended.stdout));
    expect(plan.vms.map(({ server, volumes }) => [server.name, server.tags, volumes.map(({ type }) => type)])).toEqual([
      ['web01-new', ['moved'], ['lab-fast', 'lab-fast']],
      ['web02-new', ['moved'], ['lab-fast', 'lab-fast']],
    ]);
    expect(ended.stdout).toContain('# volumes rule 1');
    expect(ended.stdout).toContain('networks rule 1');
  });

  test('leaves out a VM for which a choice cannot be made, tells it, and is written of the others', async () => {
    const lab = await peers.lab();
    const [rules, path] = [join(lab.dir, 'rules.yaml'), join(lab.dir, 'plan.yaml')];
    await writeFile(
      rules,
      'version: 1\nnetworks: [{ vm: web02, network: nowhere }, { network: lab-net }]\nvms: [{ name: "web*", tags: [x] }]\n',
    );
    const ended = await lab.run(['plan', '--vm', '*', '--rules', rules, '-o', path]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('web02 is not in the plan: The cloud has no network or subnet "nowhere"');
    expect(ended.stderr).toContain('(cloud.no_network)');
    expect(ended.stderr).toContain('2 VM(s), and 1 left out.');
    const text = await readFile(path, 'utf8');
    const names = (of: string) =>
      z.looseObject({ vms: z.array(z.looseObject({ vm: z.looseObject({ name: z.string() }) })) }).parse(parse(of)).vms;
    expect(names(text).map(({ vm }) => vm.name)).toEqual(['web01', 'db01']);
    expect(text).toMatch(/^# Left out: web02 \(id:\d+\), cloud\.no_network\.$/m);
    const without = await lab.run(['plan', '--vm', '*', '--exclude', 'web02', '--exclude', 'db*', '--rules', rules]);
    expect([without.code, names(without.stdout).map(({ vm }) => vm.name)]).toEqual([0, ['web01']]);
    expect(without.stderr).not.toContain('web02');
    const none = await lab.run(['plan', '--vm', 'web*', '--exclude', '*', '--exclude', 'nix', ...NETWORK]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('leaves none of the 2 VM(s)') as string]);
    expect(none.stderr).toContain('--exclude nix fits none of the VMs chosen.');
    const checked = await lab.run(['check', path, '--exclude', 'db*', '-f', 'json']);
    const list = z.looseObject({ vms: z.array(z.looseObject({ vm: z.string() })) });
    expect(list.parse(JSON.parse(checked.stdout)).vms.map(({ vm }) => vm)).toEqual(['web01']);
  });

  test('is not written where a choice cannot be made for any VM, and every such VM is told', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(['plan', '--vm', 'web*', '--network', '*=nowhere', '-o', join(lab.dir, 'no.yaml')]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('web01 is not in the plan: The cloud has no network or subnet "nowhere"');
    expect(ended.stderr).toContain('web02 is not in the plan: The cloud has no network or subnet "nowhere"');
    expect(ended.stderr).toContain('None of 2 VMs can be planned');
    await expect(readFile(join(lab.dir, 'no.yaml'))).rejects.toThrow('ENOENT');
  });

  test('is not written where --accept names what cannot be accepted, and migrate takes --accept beside it', async () => {
    const lab = await peers.lab();
    const path = join(lab.dir, 'plan.yaml');
    const plan = (...more: string[]) => lab.run(['plan', '--vm', 'db01', ...NETWORK, '-o', path, ...more]);
    const unknown = await plan('--accept', 'bogus.code');
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('bogus.code') as string]);
    const refused = await plan('--accept', 'vm.powered_on');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('(accept.refused)') as string]);
    await expect(readFile(path)).rejects.toThrow('ENOENT');

    for (const project of lab.cloud.state.projects) project.quotas.volumes = 1;
    const web = await planned(lab, '--vm', 'web01');
    const blocked = await lab.run(['migrate', web, '--dry-run', '-f', 'json']);
    expect([blocked.code, blocked.stdout]).toEqual([3, expect.stringContaining('cloud.quota') as string]);
    const taken = await lab.run(['migrate', web, '--dry-run', '-f', 'json', '--accept', 'cloud.quota']);
    expect([taken.code, taken.stdout]).toEqual([0, expect.not.stringContaining('cloud.quota') as string]);
    const wrong = await lab.run(['migrate', web, '--dry-run', '--accept', 'cloud.qouta']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--accept cloud.qouta') as string]);
  });

  test('lets a corrected plan go on with a run whose server was refused', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01', '--security-group', 'web_ssh');
    lab.cloud.fault({
      match: { service: 'compute', method: 'POST', path: '/servers$' },
      action: { kind: 'status', status: 400 },
    });
    const failed = await lab.run(['migrate', path, '--yes', '-f', 'json']);
    expect(failed.code, failed.stderr).toBe(1);
    expect(counts(lab)).toMatchObject({ volumes: 2, servers: 0 });
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('    server:\n      name: web01', '    server:\n      name: other'));
    const made = resultOf(await lab.run(['migrate', path, '--yes', '-f', 'json']));
    expect(lab.cloud.state.servers.map(({ name, id }) => [name, id])).toEqual([['other', made.vms[0]?.server_id]]);
    expect(counts(lab)).toEqual(ONE_OF_EACH);
  });

  test('takes a volume type by datastore; a datastore that no disk lies on is told, and refused by migrate', async () => {
    const lab = await peers.lab();
    const types = ['--volume-type', 'data*=lab-fast', '--volume-type', 'nas=lab-fast'];
    const ended = await lab.run(['plan', '--vm', 'web01', ...NETWORK, ...types]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/# --volume-type data\*=lab-fast\n +type: lab-fast/);
    expect(ended.stderr).toContain('--volume-type nas=… fits no disk');
    const refused = await lab.run(['migrate', '--vm', 'web01', ...NETWORK, ...types, '--yes']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('They lie on: datastore1') as string]);
    expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
    const unknown = await lab.run(['check', '--vm', 'web01', ...NETWORK, '--volume-type', '*=nix', '-f', 'json']);
    expect([unknown.code, unknown.stdout.match(/has no volume type/g)?.length]).toEqual([3, 2]);
  });

  test('has its schema beside it, and another file of that name stays', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01');
    expect((await readFile(path, 'utf8')).split('\n')[0]).toBe('# yaml-language-server: $schema=./plan.schema.json');
    const schema = join(lab.dir, 'plan.schema.json');
    expect(await readFile(schema, 'utf8')).toBe((await lab.run(['plan', '--schema'])).stdout);
    const again = async (before: string) => {
      await writeFile(schema, before);
      return lab.run(['plan', '--vm', 'web01', ...NETWORK, '-o', path, '--force']);
    };
    expect((await again('{"$id":"urn:stackferry:plan:1"}')).stderr).toContain('Wrote plan.schema.json beside it');
    expect(JSON.parse(await readFile(schema, 'utf8'))).toHaveProperty('properties');
    const kept = await again('{"mine":1}');
    expect([kept.code, kept.stderr]).toEqual([0, expect.stringContaining('stays as it is') as string]);
    expect(await readFile(schema, 'utf8')).toBe('{"mine":1}');
    const [json, sub] = [join(lab.dir, 'json', 'plan.json'), join(lab.dir, 'json')];
    await mkdir(sub);
    expect((await lab.run(['plan', '--vm', 'web01', ...NETWORK, '-f', 'json', '-o', json])).code).toBe(0);
    expect(await readdir(sub)).toEqual(['plan.json']);
  });

  test('is never written over unasked', async () => {
    const lab = await peers.lab();
    const path = await planned(lab, '--vm', 'web01');
    const again = await lab.run(['plan', '--vm', 'web01', ...NETWORK, '-o', path]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is there already') as string]);
    expect((await lab.run(['plan', '--vm', 'web01', ...NETWORK, '-o', path, '--force'])).code).toBe(0);
  });
});

describe.concurrent('estimate', () => {
  test('tells bytes and time of the whole host, and what fits in a window', async () => {
    const lab = await peers.lab();
    const ended = await lab.run([
      'estimate',
      '--rate',
      '1MiB/s',
      '--upload-rate',
      '1MiB/s',
      '--budget',
      '105s',
      '-f',
      'json',
    ]);
    expect(ended.code, ended.stderr).toBe(0);
    const made = z
      .looseObject({
        vms: z.array(z.looseObject({ vm: z.string(), copy_bytes: z.number(), fits: z.boolean() })),
        totals: z.looseObject({ vms: z.number() }),
      })
      .parse(JSON.parse(ended.stdout));
    expect(made.vms.map(({ vm, fits }) => [vm, fits])).toEqual([
      ['web01', false],
      ['web02', false],
      ['db01', false],
    ]);
    // What the disks hold, not how large they are.
    for (const { copy_bytes: bytes } of made.vms) {
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(14 * 1024 * 1024 + 512);
    }
    expect(lab.cloud.requests()).toEqual([]);
    expect(powering(lab)).toEqual([]);
  });
});
