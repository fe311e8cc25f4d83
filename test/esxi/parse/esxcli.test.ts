import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEsxcliCsv } from '../../../src/esxi/parse/esxcli-csv.js';
import { keyValue, parseKeyValue } from '../../../src/esxi/parse/esxcli-keyvalue.js';
import { parseEsxcliList } from '../../../src/esxi/parse/esxcli-list.js';
import { parseEsxcliTable } from '../../../src/esxi/parse/esxcli-table.js';
import { recordings } from './recordings.js';

describe('esxcli csv', () => {
  it('drops the comma that ends a line and reads quoted lists', () => {
    expect(
      parseEsxcliCsv(
        'Name,Portgroups,Uplinks,\r\nvSwitch0,"VM Network,Management ""x""\nNetwork",,\r\nvSwitch1,,vmnic1,\r\n',
      ),
    ).toEqual([
      { Name: 'vSwitch0', Portgroups: 'VM Network,Management "x"\nNetwork', Uplinks: '' },
      { Name: 'vSwitch1', Portgroups: '', Uplinks: 'vmnic1' },
    ]);
  });

  it('reads nothing from nothing, and lines without the last comma', () => {
    expect(parseEsxcliCsv('')).toEqual([]);
    expect(parseEsxcliCsv('A,B\n1,2')).toEqual([{ A: '1', B: '2' }]);
  });

  it('reads back any rows', () => {
    const field = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\r'));
    const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 5 }), (rows) => {
        fc.pre(rows.every((row) => row.some((text) => text !== '')));
        const text = ['A,B,', ...rows.map((row) => `${row.map(quote).join(',')},`)].join('\n');
        expect(parseEsxcliCsv(text)).toEqual(rows.map(([A, B]) => ({ A, B })));
      }),
    );
  });
});

const row = (widths: number[], cells: string[]) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');

describe('esxcli table', () => {
  it('cuts at the dashes: empty cells, blanks, right-aligned numbers', () => {
    const text = [
      'Name                    Virtual Switch  Active Clients  VLAN ID',
      '----------------------  --------------  --------------  -------',
      'Management Network (1)  vSwitch0                     1       28',
      'prod                                                 0     4095',
    ].join('\n');
    expect(parseEsxcliTable(text)).toEqual([
      { Name: 'Management Network (1)', 'Virtual Switch': 'vSwitch0', 'Active Clients': '1', 'VLAN ID': '28' },
      { Name: 'prod', 'Virtual Switch': '', 'Active Clients': '0', 'VLAN ID': '4095' },
    ]);
  });

  it('measures in characters or in bytes, whichever fits', () => {
    const head = ['Name    Type', '------  ----'];
    expect(parseEsxcliTable([...head, 'größe   NFS'].join('\n'))).toEqual([{ Name: 'größe', Type: 'NFS' }]);
    expect(parseEsxcliTable([...head, 'größeü  NFS'].join('\n'))).toEqual([{ Name: 'größeü', Type: 'NFS' }]);
    // Seven bytes, padded to the width in bytes.
    expect(parseEsxcliTable(['Name     Type', '-------  ----', 'größe  NFS'].join('\n'))).toEqual([
      { Name: 'größe', Type: 'NFS' },
    ]);
  });

  it.each(recordings('esxcli-storage-filesystem-list'))('reads the recording $name', ({ text }) => {
    const rows = parseEsxcliList(text);
    expect(rows).toHaveLength(text.trimEnd().split('\n').length - 2);
    for (const fields of rows) {
      expect(fields.get('mountpoint')).toBe(`/vmfs/volumes/${fields.get('uuid') ?? ''}`);
      expect(fields.get('free')).toMatch(/^\d+$/);
    }
    expect(rows.filter((fields) => fields.get('volumename') === '')).toHaveLength(text.includes('124-share') ? 1 : 0);
  });

  it.each(recordings('esxcli-network-vswitch-standard-portgroup'))('reads the recording $name', ({ text }) => {
    const rows = parseEsxcliList(text);
    expect(rows).toHaveLength(6);
    for (const fields of rows) expect(fields.get('vlanid')).toMatch(/^\d+$/);
  });

  it('reads back any table', () => {
    const cell = fc.stringMatching(/^[a-z\u00e4\u00f6]([a-z ]{0,8}[a-z])?$/).filter((text) => !text.includes('  '));
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 5 }), (rows) => {
        const widths = [0, 1, 2].map((i) => Math.max(5, ...rows.map((cells) => (cells[i] ?? '').length)));
        const lines = [
          row(widths, ['Alpha', 'Beta', 'Gamma']),
          row(
            widths,
            widths.map((w) => '-'.repeat(w)),
          ),
        ];
        const text = [...lines, ...rows.map((cells) => row(widths, cells))].join('\n');
        expect(parseEsxcliTable(text)).toEqual(rows.map(([Alpha, Beta, Gamma]) => ({ Alpha, Beta, Gamma })));
      }),
    );
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseEsxcliList(`a  b\n-  --\n${text}`)));
  });
});

describe('esxcli key and value', () => {
  it('reads blocks', () => {
    expect(parseKeyValue('   Product: VMware ESXi\n   Empty:\nvSwitch0\n   Name: a: b\n   Name: later\n')).toEqual([
      {
        heading: '',
        fields: new Map([
          ['Product', 'VMware ESXi'],
          ['Empty', ''],
        ]),
      },
      { heading: 'vSwitch0', fields: new Map([['Name', 'a: b']]) },
    ]);
    expect(keyValue('x\n   Int Value: 900\n', 'Int Value')).toBe('900');
    expect(keyValue('   Empty:\n', 'Empty')).toBeNull();
  });

  it.each(recordings('esxcli-system-version-get'))('reads the recording $name', ({ text }) => {
    expect(keyValue(text, 'Product')).toBe('VMware ESXi');
    expect(keyValue(text, 'Version')).toMatch(/^\d+\.\d+\.\d+$/);
    expect(keyValue(text, 'Build')).toMatch(/^Releasebuild-\d+$/);
  });

  it.each(recordings('esxcli-vm-process-list'))('reads the recording $name', ({ text }) => {
    const [block] = parseKeyValue(text);
    expect(block?.heading).toBe('uranium-esx36 [knagaraju] FGT_VM64_ESXI');
    expect(block?.fields.get('Config File')).toMatch(/^\/vmfs\/volumes\/.*\.vmx$/);
  });
});
