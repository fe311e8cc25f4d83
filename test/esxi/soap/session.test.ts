import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApiHost, type SoapTarget } from '../../../src/esxi/soap/index.js';
import { recorder } from '../ssh/harness.js';
import { PASSWORD, SoapServer, VM_16 } from './soap-server.js';

const VM = { type: 'VirtualMachine', id: '16' };
const runtime = (state: string) =>
  `<returnval><objects><obj type="${VM.type}">${VM.id}</obj><propSet><name>runtime</name><val><connectionState>connected</connectionState><powerState>${state}</powerState></val></propSet></objects></returnval>`;

describe('a session with the API', () => {
  let server: SoapServer;
  let target: SoapTarget;
  beforeEach(async () => {
    server = new SoapServer();
    target = await server.listen();
  });
  afterEach(() => server.close());

  it('logs in with any password, speaks the version of the host, and logs out once', async () => {
    const host = await openApiHost(target, recorder().ctx);
    await host.close();
    await host.close();
    expect(server.methods()).toEqual(['RetrieveServiceContent', 'Login', 'Logout']);
    const [, login, logout] = server.calls;
    expect(login?.body).toContain('<password>p&amp;&lt;w&gt;&quot;ä</password>');
    expect(login?.action).toBe('"urn:vim25/4.1"');
    expect(logout?.cookie).toBe('vmware_soap_session="s1"');
  });

  it('says what is wrong with a login, sends it once, and never tells the password', async () => {
    server.replies.set('Login', () => ({
      fault: 'InvalidLogin',
      text: `bad ${PASSWORD.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}`,
    }));
    const { ctx, events } = recorder();
    const error: unknown = await openApiHost(target, ctx).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'esxi.login_refused', details: { fault: 'InvalidLogin' } });
    expect(server.methods()).toEqual(['RetrieveServiceContent', 'Login']);
    expect(inspect([error, events], { depth: 9 })).not.toContain(PASSWORD);
  });

  it('logs out also after an interruption', async () => {
    const { ctx, abort } = recorder();
    const host = await openApiHost(target, ctx);
    abort.abort();
    await expect(host.powerState('16')).rejects.toMatchObject({ code: 'interrupted' });
    await host.close();
    expect(server.methods().at(-1)).toBe('Logout');
  });

  it('logs in again, once, where the host has ended the session', async () => {
    server.replies.set('RetrievePropertiesEx', (_, number) =>
      number === 1 ? { fault: 'NotAuthenticated' } : { inside: runtime('poweredOff') },
    );
    const host = await openApiHost(target, recorder().ctx);
    expect(await host.powerState('16')).toBe('off');
    expect(server.calls.at(-1)?.cookie).toBe('vmware_soap_session="s2"');
    server.replies.set('RetrievePropertiesEx', () => ({ fault: 'NotAuthenticated' }));
    await expect(host.powerState('16')).rejects.toMatchObject({ code: 'esxi.session_lost' });
    expect(server.methods().filter((name) => name === 'Login')).toHaveLength(3);
    await host.close();
  });

  it('knows an ended session also by what stands in the place of a property', async () => {
    const missing =
      '<returnval><objects><obj type="VirtualMachine">16</obj><missingSet><path>runtime</path><fault><fault xsi:type="NotAuthenticated"></fault><localizedMessage></localizedMessage></fault></missingSet></objects></returnval>';
    server.replies.set('RetrievePropertiesEx', (_, number) => ({
      inside: number === 1 ? missing : runtime('suspended'),
    }));
    const host = await openApiHost(target, recorder().ctx);
    expect(await host.powerState('16')).toBe('suspended');
    await host.close();
  });

  it('asks a busy host again for what it only reads', async () => {
    server.replies.set('RetrievePropertiesEx', (_, number) =>
      number < 3 ? { status: 503 } : { inside: runtime('poweredOn') },
    );
    const host = await openApiHost(target, recorder().ctx);
    expect(await host.powerState('16')).toBe('on');
    await host.close();
  });

  it.each([
    ['RestrictedVersion', 'host.free_license', /--esxi-transport ssh/],
    ['NoPermission', 'esxi.no_permission', /esxi-permissions/],
    ['TaskInProgress', 'esxi.busy', /host client/],
    ['ManagedObjectNotFound', 'vm.not_found', /inventory/],
    ['SomethingNew', 'esxi.fault', /host client/],
  ])('turns %s into %s, and sends a change once', async (fault, code, hint) => {
    server.replies.set('PowerOffVM_Task', () => ({ fault, text: 'Current licence prohibits it.' }));
    const host = await openApiHost(target, recorder().ctx);
    await expect(host.powerOff('16')).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) as string });
    expect(server.methods().filter((name) => name === 'PowerOffVM_Task')).toHaveLength(1);
    await host.close();
  });

  it('gives the fault of a task that fails later', async () => {
    const info =
      '<returnval><objects><obj type="Task">t1</obj><propSet><name>info</name><val><state>error</state><error><fault xsi:type="RestrictedVersion"></fault><localizedMessage>no</localizedMessage></error></val></propSet></objects></returnval>';
    server.replies.set('CreateSnapshot_Task', () => ({ inside: '<returnval type="Task">t1</returnval>' }));
    server.replies.set('RetrievePropertiesEx', () => ({ inside: info }));
    const host = await openApiHost(target, recorder().ctx);
    const wish = { name: 'a', description: '', quiesce: false };
    await expect(host.createSnapshot('16', wish)).rejects.toMatchObject({ code: 'host.free_license' });
    await host.close();
  });

  it('follows pages to their end, and no pages that repeat themselves', async () => {
    const page = (id: number, token: string) =>
      `<returnval>${token}<objects><obj type="VirtualMachine">${id}</obj><propSet><name>name</name><val xsi:type="xsd:string">vm${id}</val></propSet></objects></returnval>`;
    server.replies.set('RetrievePropertiesEx', ({ body }) => ({
      inside: body.includes('<type>VirtualMachine</type>') ? page(1, '<token>a</token>') : '',
    }));
    server.replies.set('ContinueRetrievePropertiesEx', ({ body }) => ({
      inside: body.includes('<token>a</token>') ? page(2, '<token>b</token>') : page(3, ''),
    }));
    const host = await openApiHost(target, recorder().ctx);
    const { skipped } = await host.inventory();
    expect(skipped.map(({ name }) => name)).toEqual(['vm1', 'vm2', 'vm3']);
    server.replies.set('ContinueRetrievePropertiesEx', () => ({ inside: page(2, '<token>a</token>') }));
    await expect(host.inventory()).rejects.toMatchObject({ code: 'esxi.bad_answer' });
    await host.close();
  });

  it.each([
    ['another status', { status: 404, body: '<html></html>' }],
    ['no XML', { status: 200, body: 'hello' }],
    ['another answer', { inside: '<returnval><about></about></returnval>' }],
  ] as const)('says that %s is no answer of an API', async (_, reply) => {
    server.replies.set('RetrieveServiceContent', () => reply);
    await expect(openApiHost(target, recorder().ctx)).rejects.toMatchObject({ code: 'esxi.bad_answer' });
  });

  describe('trusts a certificate', () => {
    const opened = async (changes: Partial<SoapTarget>) => {
      const bare = { ...target };
      delete bare.ca;
      const { ctx, events } = recorder();
      await (await openApiHost({ ...bare, ...changes }, ctx)).close();
      return events.filter(({ kind }) => kind === 'warning');
    };
    it('of a given authority, of a given fingerprint in either digest, or any where that is said, with a warning', async () => {
      const { fingerprint256, fingerprint } = new X509Certificate(server.cert);
      expect(await opened({ ca: server.cert })).toEqual([]);
      expect(await opened({ fingerprint: fingerprint256 })).toEqual([]);
      expect(await opened({ fingerprint: fingerprint.replaceAll(':', '').toLowerCase() })).toEqual([]);
      expect(await opened({ insecure: true })).toMatchObject([{ code: 'esxi.insecure' }]);
    });

    it('and sends nothing to a peer with any other', async () => {
      const { fingerprint256 } = new X509Certificate(server.cert);
      const other = fingerprint256.replace(/^../, (byte) => (byte === '00' ? '01' : '00'));
      for (const changes of [{}, { fingerprint: other, insecure: true }, { fingerprint: other, ca: server.cert }]) {
        await expect(opened(changes)).rejects.toMatchObject({
          code: 'esxi.certificate',
          details: { fingerprint: fingerprint256 },
        });
      }
      await expect(opened({ fingerprint: 'SHA256:abc' })).rejects.toMatchObject({ code: 'usage' });
      expect(server.calls).toEqual([]);
    });
  });

  it('reads a recorded VM of ESX 4.1', async () => {
    server.replies.set('RetrievePropertiesEx', ({ body }) => ({
      inside: body.includes('<type>VirtualMachine</type>') ? `<returnval><objects>${VM_16}</objects></returnval>` : '',
    }));
    const host = await openApiHost(target, recorder().ctx);
    const { host: record, vms, skipped } = await host.inventory();
    await host.close();
    expect(skipped).toEqual([]);
    expect(record).toMatchObject({ product: 'VMware ESX', version: '4.1.0', build: '260247' });
    const [vm] = vms;
    expect(vm).toMatchObject({
      id: '16',
      name: 'ubuntu',
      uuid: '564d9904-a176-a762-1b95-f75ddd0642d8',
      vmx_path: '[datastore1] ubuntu/ubuntu.vmx',
      annotation: '',
      guest_id: 'ubuntu64Guest',
      hardware_version: 'vmx-07',
      power_state: 'on',
      cpus: 1,
      cores_per_socket: 1,
      memory_mib: 512,
      firmware: 'bios',
      secure_boot: false,
      vtpm: false,
      encrypted: false,
      change_tracking: false,
      snapshots: 0,
      disks: [
        {
          label: 'scsi0:0',
          controller: 'lsilogic',
          path: '[datastore1] ubuntu/ubuntu.vmdk',
          capacity_bytes: 8589934592,
          // A thin disk that nothing was written to yet.
          allocated_bytes: 0,
          kind: 'flat',
          mode: 'persistent',
          shared: false,
          chain: ['[datastore1] ubuntu/ubuntu.vmdk'],
        },
      ],
      nics: [{ label: 'ethernet0', model: 'e1000', mac: '00:0c:29:06:42:d8', network: 'VM Network', connected: true }],
    });
    expect(vm?.facts).toMatchObject({
      toolsRunning: false,
      toolsInstalled: false,
      connectedRemovable: ['ide1:0'],
      vmxDatastore: 'datastore1',
    });
  });
});
