import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestIdOfVmx } from '../../src/esxi/inventory/guest-id.js';
import { hostOver, type EsxiHost } from '../../src/esxi/index.js';
import { DS1, FakeHost, context } from './harness.js';
import { install } from './vms.js';

const fault = (type: string, fields = '') =>
  `(vim.fault.${type}) {\n   faultCause = (vmodl.MethodFault) null, \n${fields}   msg = "It is "so""\n}\n`;

describe('a host', () => {
  let fake: FakeHost;
  let host: EsxiHost;
  beforeAll(() => {
    fake = new FakeHost();
    install(fake, []);
    host = hostOver(fake.shell(), context);
  });
  afterAll(() => fake.remove());
  const vim = (verb: string, id: number, text: string, exitCode = 0) =>
    fake.answer(`vim-cmd vmsvc/${verb} ${id}`, text, { exitCode });

  it('tells power states', async () => {
    vim('power.getstate', 1, 'Retrieved runtime info\nPowered on\n');
    vim('power.getstate', 2, 'Retrieved runtime info\r\nPowered off\r\n');
    vim('power.getstate', 3, 'Retrieved runtime info\nSuspended\n');
    vim('power.getstate', 4, 'Retrieved runtime info\nUnheard of\n');
    expect(await Promise.all(['1', '2', '3'].map((id) => host.powerState(id)))).toEqual(['on', 'off', 'suspended']);
    await expect(host.powerState('4')).rejects.toMatchObject({ code: 'esxi.power' });
    await expect(host.powerState('99')).rejects.toMatchObject({ code: 'vm.not_found', exitCode: 2 });
    await expect(host.powerState('1; reboot')).rejects.toMatchObject({ code: 'vm.not_found' });
  });

  it('shuts guests down, and says when Tools are missing', async () => {
    vim('power.shutdown', 1, '');
    vim('power.shutdown', 2, fault('ToolsUnavailable'));
    vim(
      'power.shutdown',
      3,
      fault('InvalidPowerState', '   requestedState = "poweredOff",\n   existingState = "poweredOff",\n'),
      1,
    );
    vim('power.shutdown', 4, fault('TaskInProgress'));
    await host.shutdownGuest('1');
    await expect(host.shutdownGuest('2')).rejects.toMatchObject({ code: 'vm.tools_missing' });
    await host.shutdownGuest('3');
    await expect(host.shutdownGuest('4')).rejects.toMatchObject({
      code: 'esxi.power',
      message: expect.stringContaining('It is "so"') as string,
    });
    await expect(host.shutdownGuest('99')).rejects.toMatchObject({ code: 'vm.not_found' });
  });

  it('switches VMs off; off already is good', async () => {
    vim('power.off', 1, 'Powering off VM:\n');
    vim(
      'power.off',
      2,
      `Powering off VM:\nPower off failed\n${fault('InvalidPowerState', '   existingState = "poweredOff",\n')}`,
      1,
    );
    vim('power.off', 3, 'Powering off VM:\nPower off failed\n', 1);
    vim('power.off', 5, 'Powering off VM:\nPower off failed\n', 1);
    vim('power.getstate', 5, 'Retrieved runtime info\nPowered off\n');
    await host.powerOff('1');
    await host.powerOff('2');
    await expect(host.powerOff('3')).rejects.toMatchObject({ code: 'esxi.power' });
    await host.powerOff('5');
  });

  it('tells about itself, never the serial', async () => {
    const about = await host.about();
    expect(about).toMatchObject({
      version: '8.0.3',
      license: 'esxBasic',
      uuid: '4c4c4544-004d-5110-8038-b3c04f4b4632',
    });
    expect(JSON.stringify(about)).not.toContain('33333');
  });

  it('takes the licence that is in force, not the evaluation beside it', async () => {
    const show = (...keys: string[]) =>
      fake.answer(
        'vim-cmd vimsvc/license --show',
        keys.map((key) => `   serial: 0-1\n   vmodl key: ${key}\n`).join(''),
      );
    show('eval', 'esx.standard.cpuPackage');
    expect((await host.about()).license).toBe('esx.standard.cpuPackage');
    show('eval');
    expect((await host.about()).license).toBe('eval');
  });

  it('tells shell time-outs, null where it does not know', async () => {
    fake.answer(
      'esxcli system settings advanced list -o /UserVars/ESXiShellTimeOut',
      '   Path: /UserVars/ESXiShellTimeOut\n   Type: integer\n   Int Value: 2820\n   Default Int Value: 0\n',
    );
    expect(await host.shellTimeouts()).toEqual({ shellSeconds: 2820, interactiveSeconds: null });
  });

  it('measures reading', async () => {
    fake.file(`${DS1.uuid}/r/x-flat.vmdk`, Buffer.alloc(3 * 1024 ** 2 + 17, 1));
    expect(await host.readRate('[datastore1] r/x-flat.vmdk', 2)).toMatchObject({ bytes: 2 * 1024 ** 2 });
    const all = await host.readRate('[datastore1] r/x-flat.vmdk', 100);
    expect(all.bytes).toBe(3 * 1024 ** 2 + 17);
    expect(all.seconds).toBeGreaterThan(0);
    await expect(host.readRate('[datastore1] r/none.vmdk', 1)).rejects.toMatchObject({
      code: 'esxi.read_failed',
      message: expect.stringContaining('No such file') as string,
    });
    await expect(host.readRate('/etc/passwd', 1)).rejects.toMatchObject({ code: 'esxi.read_failed' });
  });
});

describe("vSphere's words for guests", () => {
  it.each([
    ['rhel6-64', 'rhel6_64Guest'],
    ['ubuntu-64', 'ubuntu64Guest'],
    ['windows9-64', 'windows9_64Guest'],
    ['windows9srv-64', 'windows9Server64Guest'],
    ['windows2019srv-64', 'windows2019srv_64Guest'],
    ['windows2022srvnext-64', 'windows2022srvNext_64Guest'],
    ['other26xlinux-64', 'other26xLinux64Guest'],
    ['other5xlinux', 'other5xLinuxGuest'],
    ['other-64', 'otherGuest64'],
    ['otherlinux-64', 'otherLinux64Guest'],
    ['oraclelinux8-64', 'oracleLinux8_64Guest'],
    ['rockylinux-64', 'rockylinux_64Guest'],
    ['winnetstandard-64', 'winNetStandard64Guest'],
    ['winxppro', 'winXPProGuest'],
    ['ubuntu64Guest', 'ubuntu64Guest'],
    ['', null],
  ])('%s', (word, expected) => {
    expect(guestIdOfVmx(word)).toBe(expected);
  });
});
