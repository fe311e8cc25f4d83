import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { MAX_VMX_BYTES, parseVmx } from '../../../src/esxi/parse/vmx.js';
import { recordings } from './recordings.js';

const vmx = (text: string, encoding: BufferEncoding = 'utf8') => parseVmx(Buffer.from(text, encoding));

describe('.vmx', () => {
  it('reads settings without regard to case, blanks, comments and line ends', () => {
    const file = vmx(
      '#!/usr/bin/vmware\r\n.encoding = "UTF-8"\r\nMemSize="2048"\r\n  scsi0:0.Present   = "true" # yes\nbare = 7\n\n= "x"\nodd line',
    );
    expect(file.get('memsize')).toBe('2048');
    expect(file.number('MEMSIZE')).toBe(2048);
    expect(file.flag('scsi0:0.present', false)).toBe(true);
    expect(file.get('bare')).toBe('7');
    expect(file.flag('missing', true)).toBe(true);
    expect(file.number('scsi0:0.present')).toBeNull();
  });

  it('decodes |XX in the charset of the file', () => {
    expect(vmx('annotation = "a |22quoted|22|0Aline |7C"').get('annotation')).toBe('a "quoted"\nline |');
    expect(vmx('displayName = "Gr|C3|B6|C3|9Fe"').get('displayName')).toBe('Größe');
    expect(vmx('.encoding = "windows-1252"\ndisplayName = "Gr|F6|DFe"').get('displayName')).toBe('Größe');
  });

  it('keeps quotes that nobody escaped', () => {
    expect(vmx('displayName = "the "best" VM"').get('displayName')).toBe('the "best" VM');
    expect(vmx('displayName = "open').get('displayName')).toBe('open');
  });

  it.each([
    ['UTF-8', Buffer.from('Größe 東京'), 'Größe 東京'],
    ['windows-1252', Buffer.from('Gr\xf6\xdfe \x80', 'latin1'), 'Größe €'],
    ['ISO-8859-1', Buffer.from('Gr\xf6\xdfe', 'latin1'), 'Größe'],
    ['Shift_JIS', Buffer.from('93 8c 8b 9e'.replaceAll(' ', ''), 'hex'), '東京'],
    ['windows-932', Buffer.from('93 8c 8b 9e'.replaceAll(' ', ''), 'hex'), '東京'],
    ['GBK', Buffer.from('b6 ab be a9'.replaceAll(' ', ''), 'hex'), '东京'],
    ['Big5', Buffer.from('aa46a8ca', 'hex'), '東京'],
    ['no-such-charset', Buffer.from('Größe'), 'Größe'],
    ['UTF-8', Buffer.from('Gr\xf6\xdfe', 'latin1'), 'Größe'],
  ])('decodes %s', (encoding, bytes, text) => {
    const file = Buffer.concat([Buffer.from(`.encoding = "${encoding}"\ndisplayName = "`), bytes, Buffer.from('"\n')]);
    expect(parseVmx(file).get('displayName')).toBe(text);
  });

  it('knows byte-order marks', () => {
    expect(vmx('\ufeff.encoding = "UTF-8"\nmemSize = "4"').get('.encoding')).toBe('UTF-8');
    const wide = Buffer.from('\ufeffmemSize = "4"', 'utf16le');
    expect(parseVmx(wide).get('memSize')).toBe('4');
    expect(parseVmx(Buffer.from(wide).swap16()).get('memSize')).toBe('4');
  });

  it('lets the last of two equal keys count and says so', () => {
    const file = vmx('a = "1"\nA = "2"\nb = "1"\nb = "1"');
    expect(file.get('a')).toBe('2');
    expect(file.duplicates).toEqual(['a']);
  });

  it('lists numbers of devices', () => {
    const file = vmx(
      'ethernet10.present = "TRUE"\nethernet2.present = "TRUE"\nethernet2.x = "1"\nethernetx.y = "1"\nscsi0:1.a = "b"',
    );
    expect(file.indexes('ethernet')).toEqual([2, 10]);
    expect(file.indexes('scsi')).toEqual([0]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['NUL bytes', Buffer.from('a = "1"\0')],
    ['an ELF file', Buffer.from('7f454c4602010100', 'hex')],
    ['no setting', Buffer.from('hello\nworld\n')],
    ['too much', Buffer.alloc(MAX_VMX_BYTES + 1, 'a')],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseVmx(bytes)).toThrow(expect.objectContaining({ code: 'esxi.bad_vmx' }) as Error);
  });

  it.each(recordings('vmx.'))('reads the recording $name', ({ bytes }) => {
    const file = parseVmx(bytes);
    expect(file.duplicates).toEqual([]);
    expect(file.number('memSize')).toBe(2048);
    expect(file.get('scsi0:0.fileName')).toMatch(/\.vmdk$/);
  });

  it('reads back any value', () => {
    const escape = (value: string) =>
      value.replace(/[|"\r\n]/g, (c) => `|${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
    const clean = fc.string({ unit: 'grapheme' }).filter((text) => !/[\0-\x08\x0b-\x0c\x0e-\x1f]/.test(text));
    fc.assert(
      fc.property(clean, (value) => {
        expect(vmx(`x = "${escape(value)}"`).get('x')).toBe(value);
      }),
    );
  });

  it('throws nothing but its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseVmx(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(StackferryError);
        }
      }),
    );
  });
});
