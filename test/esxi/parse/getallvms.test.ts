import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGetAllVms } from '../../../src/esxi/parse/getallvms.js';
import { recordings } from './recordings.js';

const HEADER = 'Vmid          Name                  File                    Guest OS          Version   Annotation';

describe('getallvms', () => {
  it('reads names with blanks, brackets and parentheses, templates and CRLF', () => {
    const { vms } = parseGetAllVms(
      [
        HEADER,
        '1      web 01 (test) [x]   [data store (1)] web 01/web 01.vmx   ubuntu64Guest   vmx-19              ',
        '10     tpl                 [ds] tpl/tpl.vmtx                    otherGuest      vmx-08    golden    ',
        '2      größe               [ds] größe/größe.vmx                 debian10_64Guest   vmx-14   ',
      ].join('\r\n'),
    );
    expect(vms).toEqual([
      {
        id: '1',
        name: 'web 01 (test) [x]',
        vmxPath: '[data store (1)] web 01/web 01.vmx',
        guestId: 'ubuntu64Guest',
        version: 'vmx-19',
        annotation: '',
      },
      {
        id: '10',
        name: 'tpl',
        vmxPath: '[ds] tpl/tpl.vmtx',
        guestId: 'otherGuest',
        version: 'vmx-08',
        annotation: 'golden',
      },
      {
        id: '2',
        name: 'größe',
        vmxPath: '[ds] größe/größe.vmx',
        guestId: 'debian10_64Guest',
        version: 'vmx-14',
        annotation: '',
      },
    ]);
  });

  it('gives lines without the shape of a VM to the annotation above', () => {
    const { vms } = parseGetAllVms(
      `${HEADER}\n5   a   [ds] a/a.vmx   otherGuest   vmx-13   first line\n\n12 monkeys [ds] are no VM\n  last\n6   b   [ds] b/b.vmx   otherGuest   vmx-13   \n`,
    );
    expect(vms.map(({ id }) => id)).toEqual(['5', '6']);
    expect(vms[0]?.annotation).toBe('first line\n\n12 monkeys [ds] are no VM\n  last');
  });

  it('knows a name that looks like a file column', () => {
    const { vms } = parseGetAllVms(
      '7   old  [x] y   [ds] n/n.vmx   otherGuest   vmx-13   see [z] q.vmx otherGuest vmx-09',
    );
    expect(vms).toMatchObject([{ id: '7', name: 'old  [x] y', vmxPath: '[ds] n/n.vmx', version: 'vmx-13' }]);
  });

  it('takes a VM whose guest is not known, and any header', () => {
    const { vms } = parseGetAllVms('VM-Nummer  Name  Datei\n3   c   [ds] c/c.vmx      vmx-20   \n');
    expect(vms).toMatchObject([{ id: '3', name: 'c', guestId: null, version: 'vmx-20' }]);
  });

  it('collects invalid ids from stderr, not from annotations', () => {
    const listing = parseGetAllVms(
      `${HEADER}\n1   a   [ds] a/a.vmx   otherGuest   vmx-13   x\nSkipping invalid VM '99'\n`,
      "Skipping invalid VM '13'\nSkipping invalid VM '14'\n",
    );
    expect(listing.invalidIds).toEqual(['13', '14']);
  });

  it.each(recordings('vim-cmd-vmsvc-getallvms'))('reads the recording $name', ({ text }) => {
    const { vms } = parseGetAllVms(text);
    const numbered = text.split('\n').filter((line) => /^\d+ /.test(line));
    expect(vms.map(({ id }) => id)).toEqual(numbered.map((line) => line.split(' ')[0]));
    for (const vm of vms) {
      expect(vm.vmxPath).toMatch(/^\[[\w.]+\] \S.*\.vmx$/);
      expect(vm.guestId).toMatch(/Guest$/);
      expect(vm.name).not.toMatch(/^\s|\s$|\[/);
    }
  });

  it('reads back any table', () => {
    const word = fc
      .stringMatching(/^[\p{L}\d][\p{L}\d ().'"$%-]{0,20}[\p{L}\d)]$/u)
      .filter((text) => !/ {2}|vmx/.test(text));
    const row = fc.record({ id: fc.integer({ min: 1, max: 9999 }), name: word, folder: word, note: word });
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: ({ id }) => id, maxLength: 8 }), (rows) => {
        const width = Math.max(0, ...rows.map(({ name }) => name.length));
        const text = rows
          .map(
            ({ id, name, folder, note }) =>
              `${id}   ${name.padEnd(width)}   [ds] ${folder}/x.vmx   g64Guest   vmx-11   ${note}`,
          )
          .join('\n');
        expect(
          parseGetAllVms(text).vms.map(({ id, name, vmxPath, annotation }) => [id, name, vmxPath, annotation]),
        ).toEqual(rows.map(({ id, name, folder, note }) => [String(id), name, `[ds] ${folder}/x.vmx`, note]));
      }),
    );
  });

  it('never throws and stays quick', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void parseGetAllVms(a, b)));
    const started = performance.now();
    parseGetAllVms(`1   a   [ds] a/a.vmx   g   vmx-13   ${'   [x] y.vmx'.repeat(50_000)}\n${'9  '.repeat(100_000)}`);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
