import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metadataFilter } from './block-storage/volumes.js';
import { boots, hasEfiPartition } from './compute/console.js';
import { hostnameOf } from './compute/create.js';
import { deviceName } from './compute/hardware.js';
import { Faults } from './faults.js';
import { matchPattern } from './http.js';
import { HEAD_BYTES, inspect } from './image/formats.js';
import { fits, rangeOf, toNumber, toText } from './network/addresses.js';
import { repr, withoutSecrets } from './values.js';

describe('addresses', () => {
  it('come back from their numbers', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(toText(toNumber(ip) ?? -1n, 4)).toBe(ip);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (value) => {
        expect(toNumber(toText(value, 6))).toBe(value);
      }),
    );
  });

  it('read every way to write an IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const value = toNumber(ip);
        // The URL parser knows IPv6 as well: an independent judge.
        const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
        expect(toText(value ?? -1n, 6)).toBe(canonical);
      }),
    );
    expect(toNumber('nope')).toBeNull();
    expect(toText(toNumber('2001:db8:0:0:1:0:0:0') ?? 0n, 6)).toBe('2001:db8:0:0:1::');
  });

  it('fit their subnet, its own address and broadcast left out', () => {
    expect(rangeOf('10.77.0.0/24').last).toBe(toNumber('10.77.0.255'));
    expect(fits('10.77.0.1', '10.77.0.0/24')).toBe(true);
    for (const ip of ['10.77.0.0', '10.77.0.255', '10.77.1.1', 'fd77::1', 'x'])
      expect(fits(ip, '10.77.0.0/24')).toBe(false);
    expect(fits('fd77::ffff:ffff:ffff:ffff', 'fd77::/64')).toBe(true);
    expect(fits('fd77::', 'fd77::/64')).toBe(false);
  });
});

describe('the metadata filter of Cinder', () => {
  const python = (text: string, quote: string) => quote + text.replace(/[\\'"]/g, '\\$&') + quote;

  it('reads Python and JSON literals alike', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(fc.dictionary(text, text), fc.constantFrom("'", '"'), (wanted, quote) => {
        const literal = Object.entries(wanted).map(([key, value]) => `${python(key, quote)}: ${python(value, quote)}`);
        const read = metadataFilter(`{${literal.join(', ')}}`);
        expect(Object.entries(read)).toEqual(Object.entries(wanted));
      }),
      { examples: [[JSON.parse('{"__proto__":"x"}') as Record<string, string>, "'"]] },
    );
  });
});

describe('faults', () => {
  it('act from the nth match on, so many times', () => {
    const count = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(count, count, count, (nth, times, requests) => {
        const faults = new Faults();
        faults.add({ match: { path: '^/a', nth, times }, action: { kind: 'reset' } });
        const hit = [];
        for (let n = 1; n <= requests; n++) {
          faults.take({ service: 'image', method: 'GET', path: '/b' });
          if (faults.take({ service: 'image', method: 'GET', path: '/a/1' }) !== null) hit.push(n);
        }
        const expected = Array.from({ length: requests }, (_, index) => index + 1).filter(
          (n) => n >= nth && n < nth + times,
        );
        expect(hit).toEqual(expected);
      }),
    );
  });
});

describe('routes', () => {
  it('match by segment and decode', () => {
    expect(matchPattern('/v2/images/:id/file', '/v2/images/a%2Fb/file')).toEqual({ id: 'a/b' });
    expect(matchPattern('/v2/images/:id', '/v2/images/')).toBeNull();
    expect(matchPattern('/v2/images/:id', '/v2/images/%E0%A4%A')).toBeNull();
    expect(matchPattern('/v2/images', '/v2/images/x')).toBeNull();
  });
});

describe('formats', () => {
  const head = (fill: (bytes: Buffer) => void) => {
    const bytes = Buffer.alloc(HEAD_BYTES);
    fill(bytes);
    return inspect(bytes, bytes.length);
  };

  it('are known by their magic', () => {
    const qcow2 = head((bytes) => {
      bytes.write('QFI\xfb', 'latin1');
      bytes.writeUInt32BE(3, 4);
      bytes.writeBigUInt64BE(5n * 1024n ** 3n, 24);
    });
    expect(qcow2).toEqual({ format: 'qcow2', virtualSize: 5 * 1024 ** 3, unsafe: false });
    expect(head((bytes) => bytes.write('KDMV')).format).toBe('vmdk');
    expect(head((bytes) => bytes.write('vhdxfile')).format).toBe('vhdx');
    expect(head((bytes) => bytes.write('CD001', 32769)).format).toBe('iso');
    expect(head((bytes) => bytes.writeUInt16BE(0x55aa, 510)).format).toBe('gpt');
    expect(head(() => undefined).format).toBe('raw');
  });

  it('with a backing file or an external data file are unsafe', () => {
    const qcow2 = (change: (bytes: Buffer) => void) =>
      head((bytes) => {
        bytes.write('QFI\xfb', 'latin1');
        bytes.writeUInt32BE(3, 4);
        change(bytes);
      }).unsafe;
    expect(qcow2((bytes) => bytes.writeBigUInt64BE(200n, 8))).toBe(true);
    expect(qcow2((bytes) => bytes.writeBigUInt64BE(4n, 72))).toBe(true);
    expect(qcow2((bytes) => bytes.writeBigUInt64BE(1n, 72))).toBe(false);
  });

  it('never fail on any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => inspect(Buffer.from(bytes), bytes.length).format.length > 0,
      ),
    );
  });
});

describe('the firmware', () => {
  it('finds an EFI system partition in a GPT', () => {
    const bytes = Buffer.alloc(18 * 1024);
    bytes.writeUInt16BE(0x55aa, 510);
    bytes.write('EFI PART', 512);
    expect(hasEfiPartition(bytes)).toBe(false);
    Buffer.from('28732ac11ff8d211ba4b00a0c93ec93b', 'hex').copy(bytes, 1024 + 3 * 128);
    expect(hasEfiPartition(bytes)).toBe(true);
    expect(boots(bytes, 'bios')).toBe(true);
    expect(boots(Buffer.alloc(512), 'bios')).toBe(false);
  });

  it('names disks by their bus', () => {
    expect(deviceName({ hw_disk_bus: 'scsi' }, 0)).toBe('/dev/sda');
    expect(deviceName({}, 25)).toBe('/dev/vdz');
    expect(deviceName({ hw_disk_bus: 'ide' }, 27)).toBe('/dev/hdab');
  });
});

describe('words', () => {
  it('make a host name of any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(hostnameOf(name, 'x')).toMatch(/^[a-z0-9_](?:[a-z0-9_.-]{0,61}[a-z0-9_-]?)?$/);
      }),
    );
    expect(hostnameOf('web 01 (größe)', 'x')).toBe('web-01-gre');
    expect(hostnameOf('€', 'x')).toBe('server-x');
  });

  it('print values as Python does', () => {
    expect(repr({ a: [1, true, null], b: "it's" })).toBe(`{'a': [1, True, None], 'b': "it's"}`);
  });

  it('leave no secret in the log', () => {
    const body = {
      auth: { identity: { token: { id: 's1' }, password: { user: { id: 'u', password: 's2' } }, x: { secret: 's3' } } },
    };
    const text = JSON.stringify(withoutSecrets(body));
    for (const secret of ['s1', 's2', 's3']) expect(text).not.toContain(secret);
    expect(text).toContain('"id":"u"');
  });
});
