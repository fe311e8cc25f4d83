import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseXml, writeXml, xml } from '../../../src/esxi/soap/xml.js';
import { VM_16 } from './soap-server.js';

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

describe('answers of the API', () => {
  it('give back any text that was written, as text and as attribute', () => {
    const word = fc
      .string({ unit: 'binary' })
      .filter((text) => !/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(word, (text) => {
        expect(parseXml(writeXml(xml('a', [xml('b', text)]))).child('b')?.text).toBe(text);
      }),
    );
  });

  it('know types by their name space, whatever its prefix is', () => {
    for (const prefix of ['xsi', 'XMLSchema-instance', 'q1']) {
      const root = parseXml(`<a xmlns:${prefix}="${XSI}"><v ${prefix}:type="vim:VirtualDisk" type="Other">1</v></a>`);
      expect(root.child('v')).toMatchObject({ type: 'VirtualDisk', managedType: 'Other' });
    }
    expect(parseXml(`<a xmlns:y="urn:other"><v y:type="VirtualDisk"/></a>`).child('v')?.type).toBeNull();
  });

  it('refuse to be written with what XML cannot hold', () => {
    for (const text of ['a\0b', '\u0008', '\ud800'])
      expect(() => writeXml(xml('a', text))).toThrow(/control character/);
  });

  it.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', /document type/],
    ['nothing', '', /no element|cannot be read/],
    ['a page', 'not found', /cannot be read/],
    ['too much nesting', '<a>'.repeat(5000) + '</a>'.repeat(5000), /cannot be read/],
  ])('are refused that hold %s', (_, text, why) => {
    expect(() => parseXml(text)).toThrow(why);
  });

  it('expand no entity but the five of XML', () => {
    expect(parseXml('<a>&lt;&#228;&#xE4;&amp;lt;&nbsp;</a>').text).toBe('<ää&lt;&nbsp;');
    expect(parseXml('<a><![CDATA[&lt;b>]]></a>').text).toBe('&lt;b>');
  });

  it('are refused wherever they break off', () => {
    const whole = `<objects xmlns:xsi="${XSI}">${VM_16}</objects>`;
    expect(parseXml(whole).children.length).toBe(6);
    for (let end = 1; end < whole.length; end += 211) {
      expect(() => parseXml(whole.slice(0, end)), `after ${end} characters`).toThrow(/cannot be read/);
    }
  });
});
