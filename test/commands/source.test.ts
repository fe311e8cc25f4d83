import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/index.js';
import { esxiTransport, sourceTarget, type SourceOptions } from '../../src/commands/options/source.js';

const target = (options: SourceOptions, env: Record<string, string> = {}) => sourceTarget({ env }, options);

describe('the host that is meant', () => {
  it.each<[SourceOptions, Record<string, string>, string, string]>([
    [{ esxi: 'esx1' }, {}, 'root', 'esx1'],
    [{ esxi: 'esx1:443' }, {}, 'root', 'esx1'],
    [{ esxi: 'admin@esx1' }, {}, 'admin', 'esx1'],
    [{ esxi: 'admin@esx1:443' }, { STACKFERRY_ESXI_USER: 'other' }, 'admin', 'esx1'],
    [{ esxi: 'admin@lab.example@esx1' }, {}, 'admin@lab.example', 'esx1'],
    [{ esxi: 'admin@[fe80::1%eth0]:443' }, {}, 'admin', 'fe80::1%eth0'],
    [{ esxi: '2001:db8::1' }, {}, 'root', '2001:db8::1'],
    [{ esxi: 'admin@esx1', esxiUser: 'admin' }, {}, 'admin', 'esx1'],
    [{}, { STACKFERRY_ESXI: 'admin@esx1' }, 'admin', 'esx1'],
    [{}, { STACKFERRY_ESXI: 'admin@esx1', STACKFERRY_ESXI_USER: 'other' }, 'other', 'esx1'],
    [{ esxi: 'esx2' }, { STACKFERRY_ESXI: 'admin@esx1' }, 'root', 'esx2'],
    [{}, { GOVC_URL: 'https://me:secret@[::1]:8443/sdk' }, 'me', '::1'],
    [{}, { GOVC_URL: 'me@esx1', GOVC_USERNAME: 'you' }, 'you', 'esx1'],
  ])('%j with %j is %s at %s', (options, env, user, host) => {
    expect(target(options, env)).toEqual({ host, user, port: 22 });
  });

  it.each<[SourceOptions, Record<string, string>]>([
    [{ esxi: 'root:hunter2@esx1' }, {}],
    [{ esxi: 'root:hun@ter2@esx1' }, {}],
    [{ esxi: 'root:hunter2' }, {}],
    [{ esxi: 'root:hunter2:x' }, {}],
    [{ esxi: 'https://root:hunter2@esx1/sdk' }, {}],
    [{ esxi: 'hunter2@' }, {}],
    [{ esxi: '@hunter2' }, {}],
    [{ esxi: '-hunter2' }, {}],
    [{ esxi: 'hun ter2' }, {}],
    [{ esxi: 'hunter2\n' }, {}],
    [{ esxi: '' }, {}],
    [{ esxi: 'hunter2:0' }, {}],
    [{ esxi: 'hunter2:65536' }, {}],
    [{ esxi: 'admin@esx1', esxiUser: 'hunter2' }, {}],
    [{}, { STACKFERRY_ESXI: 'root:hunter2@esx1' }],
    [{}, { GOVC_URL: 'https://' }],
  ])('%j with %j is refused and not repeated', (options, env) => {
    try {
      target(options, env);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      expect(`${error.message} ${error.hint ?? ''}`).not.toMatch(/hun|ter2/);
      expect(error.hint).toBeTruthy();
      return;
    }
    expect.unreachable('it was taken');
  });
});

describe('the door that is meant', () => {
  it.each<[SourceOptions, Record<string, string>, string]>([
    [{}, {}, 'auto'],
    [{ esxiTransport: 'auto' }, { STACKFERRY_ESXI_TRANSPORT: 'https' }, 'auto'],
    [{}, { STACKFERRY_ESXI_TRANSPORT: 'https' }, 'https'],
    [{ esxiTransport: 'https' }, { STACKFERRY_ESXI_TRANSPORT: 'ssh' }, 'https'],
  ])('%j with %j is %s', (options, env, door) => {
    expect(esxiTransport({ env }, options)).toBe(door);
  });

  it('is no other word', () => {
    expect(() => esxiTransport({ env: { STACKFERRY_ESXI_TRANSPORT: 'nfc' } }, {})).toThrow(UsageError);
  });
});
