import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatWaitFor,
  globFits,
  parseNetworkMapping,
  parseNicMapping,
  parseVolumeTypes,
  parseWaitFor,
} from '../../../src/migration/plan/options.js';

describe('--network', () => {
  it.each([
    ['VM Network=prod', 'VM Network', 'prod'],
    ['a=b=c', 'a=b', 'c'],
    ['VLAN *=prod-net', 'VLAN *', 'prod-net'],
    [' DMZ = 10.0.0.0/24 ', 'DMZ', '10.0.0.0/24'],
  ])('%j', (text, source, target) => expect(parseNetworkMapping(text)).toEqual({ source, target }));

  it.each(['', '=', 'prod', '=prod', 'VM Network=', ' =prod'])('refuses %j', (text) => {
    expect(() => parseNetworkMapping(text)).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
  });

  it('splits at the last "=" whatever the port group is called', () => {
    const word = fc.string({ minLength: 1 }).filter((text) => text.trim() === text);
    fc.assert(
      fc.property(
        word,
        word.filter((text) => !text.includes('=')),
        (source, target) => {
          expect(parseNetworkMapping(`${source}=${target}`)).toEqual({ source, target });
        },
      ),
    );
  });
});

describe('--nic', () => {
  it.each([
    ['ethernet0=prod', { label: 'ethernet0', target: 'prod', ips: [], mac: null }],
    ['Ethernet1=a=b', { label: 'ethernet1', target: 'a=b', ips: [], mac: null }],
    [
      'ethernet0=prod,ip=10.0.0.5,ip=2001:db8::5,mac=00-50-56-AA-BB-01',
      { label: 'ethernet0', target: 'prod', ips: ['10.0.0.5', '2001:db8::5'], mac: '00:50:56:aa:bb:01' },
    ],
    ['ethernet0=prod, east,ip=10.0.0.5', { label: 'ethernet0', target: 'prod, east', ips: ['10.0.0.5'], mac: null }],
    ['ethernet0=ip=10.0.0.5,prod', { label: 'ethernet0', target: 'prod', ips: ['10.0.0.5'], mac: null }],
  ])('%j', (text, expected) => expect(parseNicMapping(text)).toEqual(expected));

  it.each([
    ['prod', /begin with a NIC/],
    ['eth0=prod', /begin with a NIC/],
    ['=prod', /begin with a NIC/],
    ['ethernet0=', /names no network/],
    ['ethernet0=,ip=10.0.0.5', /names no network/],
    ['ethernet0=prod,ip=', /"" is no IP/],
    ['ethernet0=prod,ip=10.0.0.300', /"10.0.0.300" is no IP/],
    ['ethernet0=prod,ip=10.0.0.5/24', /is no IP/],
    ['ethernet0=prod,mac=00:50:56', /no MAC/],
    ['ethernet0=prod,mac=zz:50:56:aa:bb:01', /no MAC/],
  ])('refuses %j', (text, message) => {
    expect(() => parseNicMapping(text)).toThrow(message);
    expect(() => parseNicMapping(text)).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
  });
});

describe('--wait-for', () => {
  it.each(['console', 'ping', 'active', 'tcp:1', 'tcp:22', 'tcp:65535'])('takes %s and writes it the same', (text) => {
    expect(formatWaitFor(parseWaitFor(text))).toBe(text);
  });

  it.each(['', 'ssh', 'tcp', 'tcp:', 'tcp:0', 'tcp:65536', 'tcp:-1', 'tcp:22x', 'Console'])('refuses %j', (text) => {
    expect(() => parseWaitFor(text)).toThrow(/--wait-for/);
  });
});

describe('globs of port groups', () => {
  it.each([
    ['VLAN *', 'VLAN 10', true],
    ['VLAN *', 'vlan 10', false],
    ['VLAN ?', 'VLAN 10', false],
    ['*', '', true],
    ['a.c', 'abc', false],
    ['prod (*)', 'prod (east)', true],
    ['?', '🚢', true],
    ['[ab]', 'a', false],
    ['a*b*c', 'a\nb\nc', true],
  ])('%j and %j: %s', (glob, text, fits) => expect(globFits(glob, text)).toBe(fits));

  it('fit themselves where they hold no sign, and nothing else', () => {
    const word = fc.string().filter((text) => !/[*?]/.test(text));
    fc.assert(
      fc.property(word, word, (glob, text) => {
        expect(globFits(glob, text)).toBe(glob === text);
      }),
    );
  });
});

describe('--volume-type', () => {
  it('is a type for all, or for a datastore; split at the last =', () => {
    expect(parseVolumeTypes(['ssd'])).toEqual({ volumeType: 'ssd' });
    expect(parseVolumeTypes(['nas 1=a = bulk', 'ssd', '*=x'])).toEqual({
      volumeType: 'ssd',
      datastoreTypes: [
        { datastore: 'nas 1=a', type: 'bulk' },
        { datastore: '*', type: 'x' },
      ],
    });
    const word = fc.stringMatching(/^[a-z][a-z =()]*[a-z]$/);
    fc.assert(
      fc.property(word, fc.stringMatching(/^[a-z][a-z-]*$/), (datastore, type) => {
        expect(parseVolumeTypes([`${datastore}=${type}`])).toEqual({ datastoreTypes: [{ datastore, type }] });
      }),
    );
  });

  it.each([['=ssd'], ['nas='], ['='], [' = ']])('%j is refused', (text) => {
    expect(() => parseVolumeTypes([text])).toThrow('is not of the form TYPE or DATASTORE=TYPE');
  });

  it('says one type of all disks', () => {
    expect(() => parseVolumeTypes(['ssd', 'a=b', 'hdd'])).toThrow('--volume-type says ssd and hdd for the same disks.');
  });
});
