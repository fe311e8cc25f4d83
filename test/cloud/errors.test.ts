import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../support/program.js';
import { LAB_DIR, cloudEntry, type Resource } from '../support/real-cloud.js';
import { MIGRATE, PATIENCE, VM, cloudBench, expectDone, resultOf, vmFolder } from './bench.js';

const bench = cloudBench();
const TO = (network: string) => ['migrate', '--vm', VM, '--network', `*=${network}`, '--yes', '-f', 'json'];

/** `error  MESSAGE (code)` and the line below it, which says what to do. */
function errorOf({ stderr }: Ended): { message: string; code: string; hint: string } {
  const match = /^error {2}(.*) \(([\w.]+)\)\n {7}(.*)$/m.exec(stderr);
  if (!match) throw new Error(`no error on stderr:\n${stderr}`);
  return { message: match[1] ?? '', code: match[2] ?? '', hint: match[3] ?? '' };
}

describe('what can be wrong before a byte moves: told, and nothing made', () => {
  let before: Resource[];
  beforeAll(async () => {
    before = await bench.listing();
  });
  afterAll(async () => {
    expect(await bench.listing()).toEqual(before);
    expect(await bench.runs()).toEqual(new Set());
  });

  test('a wrong password of the cloud', async () => {
    const { auth } = await cloudEntry('lab');
    const ended = await bench.run(MIGRATE, {
      OS_CLOUD: undefined,
      OS_CLIENT_CONFIG_FILE: bench.path('none.yaml'),
      OS_AUTH_URL: auth.auth_url,
      OS_USERNAME: auth.username,
      OS_PASSWORD: 'not-the-password',
      OS_PROJECT_NAME: auth.project_name,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
    });
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ code: 'cloud.unauthorized' });
    expect(errorOf(ended).message).toMatch(
      /^Keystone at http\S+ refused the login of user lab in project lab: .*requires authentication.*\(request req-/,
    );
    expect(errorOf(ended).hint).toMatch(/password/);
    expect(ended.stderr + ended.stdout).not.toContain('not-the-password');
  });

  test('a project in which the user has no role', async () => {
    const ended = await bench.run(MIGRATE, { OS_CLOUD: 'lab-wrong-project' });
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ code: 'cloud.unauthorized' });
    expect(errorOf(ended).message).toContain('refused the login of user lab in project lab-other');
    expect(errorOf(ended).hint).toMatch(/project/);
  });

  test('a cloud that clouds.yaml does not have', async () => {
    const ended = await bench.run([...MIGRATE, '--os-cloud', 'nowhere']);
    expect(ended.code).toBeGreaterThan(0);
    expect(errorOf(ended).message).toContain('nowhere');
    expect(errorOf(ended).hint).toContain('lab-appcred');
  });

  test('a wrong password of the host is tried once: five wrong ones would lock the account', async () => {
    const log = join(LAB_DIR, 'esxi/log/sshd.log');
    const tried = async () => (await readFile(log, 'utf8')).match(/^PAM: .+ for root from/gm)?.length ?? 0;
    const had = await tried();
    const ended = await bench.run(MIGRATE, { STACKFERRY_ESXI_PASSWORD: 'not-the-password' });
    expect(ended.code).toBe(1);
    expect(errorOf(ended).code).toBe('esxi.login_refused');
    expect(await tried()).toBe(had + 1);
    expect(ended.stderr + ended.stdout).not.toContain('not-the-password');
  });

  test('an unknown network: says which ones there are', async () => {
    const ended = await bench.run(TO('nowhere'));
    expect(ended.code).toBe(3);
    expect(errorOf(ended)).toEqual({
      code: 'cloud.no_network',
      message: 'The cloud has no network or subnet "nowhere", asked for ethernet0.',
      hint: expect.stringMatching(/^It has: .*lab-net, lab-provider/) as string,
    });
  });

  test('a port group that nobody mapped', async () => {
    const ended = await bench.run(['migrate', '--vm', VM, '--yes', '-f', 'json']);
    expect(ended.code).toBe(3);
    expect(errorOf(ended).code).toBe('nic.unmapped');
    expect(errorOf(ended).hint).toContain("--network 'VM Network=NETWORK'");
  });

  test('a flavor that is not there', async () => {
    const ended = await bench.run([...MIGRATE, '--flavor', 'XXL']);
    expect(ended.code).toBe(3);
    expect(errorOf(ended)).toMatchObject({ code: 'cloud.no_flavor', message: 'The cloud has no flavor "XXL".' });
    expect(errorOf(ended).hint).toContain('SCS-2V-4');
  });

  test('a quota that is too small: says which, and by how much', async () => {
    const ended = await bench.run(TO('lab-provider'), { OS_CLOUD: 'lab-poor' });
    expect(ended.code).toBe(3);
    expect(errorOf(ended).code).toBe('cloud.quota');
    expect(errorOf(ended).message).toContain('volumes: 2 needed, 1 of 1 left');
    expect(errorOf(ended).message).toContain('GiB of volumes: 2 needed, 1 of 1 left');
  });

  describe('with a VM that is larger than every flavor', () => {
    let vmx = '';
    let text: Buffer;
    beforeAll(async () => {
      vmx = join(await vmFolder('notes'), 'notes.vmx');
      text = await readFile(vmx);
      const rest = text.toString('latin1').replace(/^(numvcpus|memSize) = .*\n/gim, '');
      await writeFile(vmx, `${rest}numvcpus = "64"\nmemSize = "1048576"\n`, 'latin1');
    });
    afterAll(() => writeFile(vmx, text));

    test('names the nearest one and why it does not do', async () => {
      const ended = await bench.run(MIGRATE.map((word) => (word === VM ? 'notes' : word)));
      expect(ended.code).toBe(3);
      expect(errorOf(ended)).toMatchObject({
        code: 'cloud.no_flavor',
        message:
          'No flavor has 64 vCPU and 1048576 MiB RAM. The nearest is SCS-16V-32: ' +
          '16 vCPU is less than 64; 32768 MiB RAM is less than 1048576.',
      });
      expect(errorOf(ended).hint).toContain('--flavor');
    });
  });
});

describe('what the cloud refuses in the middle of a run', () => {
  test('the second volume is over the quota: Cinder’s words, the first one is kept, and rollback takes it back', async () => {
    const poor = { OS_CLOUD: 'lab-poor' };
    const exported = await bench.run(['export', '--vm', VM, '-f', 'json']);
    expectDone(exported);
    const { run } = JSON.parse(exported.stdout) as { run: string };
    expectDone(await bench.run(['convert', '--run', run]));
    expectDone(await bench.run(['upload', '--run', run], poor));
    const refused = await bench.run(['volume', '--run', run, '-f', 'json'], poor);
    expect(refused.code).toBe(1);
    expect(errorOf(refused).code).toBe('cloud.quota');
    expect(errorOf(refused).message).toMatch(/create volume web01-scsi0:1: .*quota.*answered 413, request req-/i);
    expect(resultOf(refused)).toMatchObject({ state: 'failed', error: { code: 'cloud.quota' } });
    expect(resultOf(refused).volumes).toHaveLength(1);
    const back = await bench.run(['rollback', run, '-f', 'json'], poor);
    expectDone(back);
    expect(resultOf(back)).toMatchObject({ state: 'rolled_back', volumes: [], image_ids: [] });
  });

  test('a MAC may not be chosen on a shared network: another one is taken, the run says so, and the guest answers', async () => {
    const reach = ['--security-group', 'web_ssh', '--wait-for', 'tcp:22', ...PATIENCE];
    const ended = await bench.run([...TO('lab-provider'), ...reach]);
    expectDone(ended);
    const vm = resultOf(ended);
    expect(ended.stderr).toContain(`port 22 accepts connections at ${vm.ports[0]?.ip_addresses[0] ?? ''}`);
    expect(ended.stderr).toMatch(/MAC 00:0c:29:\S+ of ethernet0 is not kept: this project may not choose MACs/);
    expect(vm.ports[0]?.mac).toMatch(/^fa:16:3e:/);
    const { warnings } = (JSON.parse(ended.stdout) as { vms: { warnings: unknown }[] }).vms[0] ?? {};
    expect(warnings).toEqual([expect.objectContaining({ code: 'cloud.mac_taken' })]);
    const port = await bench.cloud.show('port', vm.ports[0]?.port_id ?? '');
    expect(port['mac_address']).toBe(vm.ports[0]?.mac);
    expectDone(await bench.run(['rollback', vm.run, '--discard', VM]));
  });

  test('a MAC that was asked for by name is not given up', async () => {
    const args = [
      'migrate',
      '--vm',
      VM,
      '--nic',
      'ethernet0=lab-provider,mac=00:50:56:aa:bb:01',
      '--yes',
      '--no-start',
    ];
    const ended = await bench.run(args);
    // Told before a byte moves; that Neutron answers 403 to it is seen in check.test.ts.
    expect(ended.code).toBe(3);
    expect(errorOf(ended).code).toBe('cloud.port_policy');
    expect(errorOf(ended).message).toContain('lab-provider belongs to another project');
  });
});
