import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { counts, migrateArgs, resultOf, smallVm, usePeers, type Lab } from '../support/embedded.js';
import { filesResult } from '../support/contract.js';

/** `--dry-run`: the calls that it prints are those that go out without it, and with it none goes out. */

const peers = usePeers({ vms: [smallVm('web01'), smallVm('db01', { power: 'on', tools: 'running' })] });
const callsSchema = z.looseObject({
  calls: z.array(
    z.looseObject({ step: z.string(), service: z.string(), method: z.string(), path: z.string(), body: z.unknown() }),
  ),
});
/** Requests that change something; the login is a POST, and the console is read by one. */
const changing = (lab: Lab) =>
  lab.cloud
    .requests()
    .filter(({ method, path }) => method !== 'GET' && !path.endsWith('/auth/tokens'))
    .filter(({ service, path }) => !(service === 'compute' && path.endsWith('/action')));
const printed = (ended: { code: number | null; stdout: string; stderr: string }) => {
  expect(ended.code, ended.stderr).toBe(0);
  return callsSchema.parse(JSON.parse(ended.stdout)).calls;
};
const kinds = (calls: readonly { service: string; method: string; path: string }[]) =>
  calls.map(
    ({ service, method, path }) =>
      `${method} ${service} ${path
        .split('/')
        .filter((part) => !/^[0-9a-f]{32}$/.test(part))
        .join('/')}`,
  );

/** Nothing was written: no changing request, no power command, no state. */
function expectUntouched(lab: Lab): void {
  expect(changing(lab)).toEqual([]);
  expect(
    lab.host.commands.filter(({ command }) => /power\.(off|shutdown|on|reset)|snapshot\.(create|remove)/.test(command)),
  ).toEqual([]);
}

describe.concurrent('--dry-run', () => {
  test('of migrate prints what migrate then sends, in order, with the same bodies', async () => {
    const lab = await peers.lab();
    const calls = printed(await lab.run([...migrateArgs('web01', '--security-group', 'web_ssh'), '--dry-run']));
    expectUntouched(lab);
    expect(existsSync(lab.stateDir)).toBe(false);
    expect(counts(lab)).toEqual({ images: 0, volumes: 0, ports: 0, servers: 0 });
    const result = resultOf(await lab.run(migrateArgs('web01', '--security-group', 'web_ssh')));
    const sent = changing(lab);
    const [moved] = result.vms;
    const ids: [string, string][] = [
      [result.run, 'RUN'],
      ...(moved?.image_ids ?? []).map((id, index): [string, string] => [id, `IMAGE_scsi0_${index}`]),
      ...(moved?.volumes ?? []).map((volume, index): [string, string] => [volume.volume_id, `VOLUME_scsi0_${index}`]),
      ...(moved?.ports ?? []).map((port): [string, string] => [port.port_id, 'PORT_ethernet0']),
    ];
    const named = (value: unknown) => {
      let text = JSON.stringify(value ?? null);
      for (const [id, word] of ids) text = text.replaceAll(id, word);
      return text.replace(/"image_build_date":"[^"]*"/g, '"image_build_date":"?"');
    };
    const ofCloud = calls.filter(({ service }) => service !== 'local' && service !== 'esxi');
    // The embedded cloud logs paths without the service's own prefix.
    const below = (path: string) => path.replace(/^\/(image|volume|network|compute)/, '');
    expect(ofCloud.map(({ method, path }) => `${method} ${below(path)}`)).toEqual(
      sent.map(({ method, path }) => `${method} ${JSON.parse(named(path)) as string}`),
    );
    const bodies = (list: readonly { method: string; body?: unknown }[]) =>
      list
        .filter(({ method, body }) => method !== 'PUT' || typeof body === 'object')
        .map(({ body }) => (typeof body === 'string' ? null : (JSON.parse(named(body)) as unknown)));
    expect(bodies(ofCloud.filter(({ body }) => typeof body === 'object'))).toEqual(
      bodies(sent.filter(({ body }) => body !== undefined && body !== null)),
    );
  });

  test('of migrate names the power commands that were allowed', async () => {
    const lab = await peers.lab();
    const calls = printed(await lab.run([...migrateArgs('db01', '--force-off'), '--dry-run']));
    expect(kinds(calls).slice(0, 2)).toEqual([
      expect.stringMatching(/^SSH esxi vim-cmd vmsvc\/power\.shutdown \d+$/),
      expect.stringMatching(/^SSH esxi vim-cmd vmsvc\/power\.off \d+$/),
    ]);
    expectUntouched(lab);
  });

  test('of each step and of rollback prints its part, and changes nothing', async () => {
    const lab = await peers.lab();
    const dry = async (...args: string[]) => {
      const before = changing(lab).length;
      const calls = kinds(printed(await lab.run([...args, '--dry-run', '-f', 'json'])));
      expect(changing(lab).length).toBe(before);
      return calls;
    };
    expect((await dry('export', '--vm', 'web01')).map((call) => call.split(' ')[0])).toEqual(['WRITE', 'WRITE']);
    expect(existsSync(lab.stateDir)).toBe(false);
    const exported = await lab.run(['export', '--vm', 'web01', '-f', 'json']);
    const run = filesResult.parse(JSON.parse(exported.stdout)).run ?? '';
    expect((await dry('convert', '--run', run)).map((call) => call.split(' ')[0])).toEqual(['WRITE', 'WRITE']);
    expect((await lab.run(['convert', '--run', run])).code).toBe(0);
    expect(await dry('upload', '--run', run)).toEqual([
      'POST image /image/v2/images',
      'PUT image /image/v2/images/IMAGE_scsi0_0/file',
      'POST image /image/v2/images',
      'PUT image /image/v2/images/IMAGE_scsi0_1/file',
    ]);
    expect((await lab.run(['upload', '--run', run])).code).toBe(0);
    expect(await dry('volume', '--run', run)).toEqual([
      'POST block-storage /volume/v3/volumes',
      'POST block-storage /volume/v3/volumes',
      'POST block-storage /volume/v3/volumes/VOLUME_scsi0_1/action',
    ]);
    expect((await lab.run(['volume', '--run', run])).code).toBe(0);
    expect(await dry('server', '--run', run, '--network', '*=lab-net')).toEqual([
      'POST network /network/v2.0/ports',
      'PUT network /network/v2.0/ports/PORT_ethernet0/tags',
      'POST compute /compute/v2.1/servers',
    ]);
    expect((await lab.run(['server', '--run', run, '--network', '*=lab-net'])).code).toBe(0);
    const back = await dry('rollback', run, '--discard', 'web01');
    expect(back.map((call) => call.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'ID'))).toEqual([
      'DELETE compute /compute/v2.1/servers/ID',
      'DELETE network /network/v2.0/ports/ID',
      'DELETE block-storage /volume/v3/volumes/ID',
      'DELETE block-storage /volume/v3/volumes/ID',
      'DELETE image /image/v2/images/ID',
      'DELETE image /image/v2/images/ID',
      expect.stringMatching(/^DELETE local /),
    ]);
    expect(counts(lab).servers).toBe(1);
  });
});
