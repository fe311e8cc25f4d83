import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { render, renderTable, type Column } from '../../src/ui/index.js';

interface Row {
  id: string;
  name: string;
  size: number | null;
}
const columns: Column<Row>[] = [
  { name: 'id', value: (row) => row.id },
  { name: 'name', value: (row) => row.name, fit: true },
  { name: 'size', value: (row) => row.size, align: 'right' },
];
const rows: Row[] = [
  { id: 'r7k2m9qx', name: 'a-very-long-name-of-a-machine', size: 40 },
  { id: 'r2', name: 'web01', size: null },
];

describe('a table', () => {
  it('cuts what may be cut, on a terminal that is too narrow', () => {
    expect(renderTable(columns, rows, 30)).toBe(
      ['ID        NAME            SIZE', 'r7k2m9qx  a-very-long-n…    40', 'r2        web01              -', ''].join(
        '\n',
      ),
    );
  });

  it('is whole where there is room, and in files and pipes', () => {
    const whole = renderTable(columns, rows);
    expect(whole).toContain('a-very-long-name-of-a-machine    40\n');
    expect(renderTable(columns, rows, 80)).toBe(whole);
  });

  it('keeps ids whole however narrow it is', () => {
    const text = renderTable(columns, rows, 10);
    expect(text).toContain('r7k2m9qx  a-very-…');
  });

  it('counts what a terminal shows, and shows no control characters', () => {
    const text = renderTable(
      columns,
      [
        { id: '日本', name: 'テスト用の仮想マシン', size: 1 },
        { id: 'a\u001b', name: 'é', size: 2 },
      ],
      28,
    );
    expect(text.split('\n')[1]).toBe('日本     テスト用の仮…     1');
    expect(text).toContain('a\\u001b');
  });

  it('never cuts json, yaml or csv', async () => {
    for (const format of ['json', 'yaml', 'csv'] as const) {
      expect(await render(format, rows, columns, rows, 10)).toContain('a-very-long-name-of-a-machine');
    }
    expect(await render('table', rows, columns, rows, 30)).toContain('a-very-long-n…');
  });

  it('lets no text of csv be a formula or move a cursor, and keeps numbers and line ends', async () => {
    const cells = [
      '=HYPERLINK("http://x")',
      '+1+cmd',
      '-2+3',
      '@SUM(A1)',
      '\t=1',
      ' =1',
      '-5',
      '\u001b]0;x\u0007',
      'a\nb',
      'c\rd',
    ];
    const column: Column<string> = { name: 'x', value: (cell) => cell };
    expect(await render('csv', [], [column], cells)).toBe(
      [
        'x',
        '"\'=HYPERLINK(""http://x"")"',
        "'+1+cmd",
        "'-2+3",
        "'@SUM(A1)",
        "'\t=1",
        "' =1",
        '-5',
        '\\u001b]0;x\\u0007',
        '"a\nb"',
        'c\\u000dd',
        '',
      ].join('\n'),
    );
    expect(await render('csv', [], [{ name: 'x', value: (cell: number) => cell }], [-7, 1.5])).toBe('x\n-7\n1.5\n');
  });

  it('writes yaml in which older readers see the same types', async () => {
    const value = { power: 'off', on: ['yes', 'n', '00:50:56:00:00:17', '2026-11-25', '0777', '1_000', 'web01'] };
    const text = await render('yaml', value, [], []);
    expect(parse(text, { version: '1.1' })).toEqual(value);
    expect(parse(text)).toEqual(value);
    expect(text).toContain('- web01\n');
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^[0-9:_.+-]{1,12}$/)), async (name) => {
        const written = await render('yaml', { name }, [], []);
        expect(parse(written, { version: '1.1' })).toEqual({ name });
        expect(parse(written)).toEqual({ name });
      }),
    );
  });

  it('fits any names, as long as its columns can give way', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 200 })), fc.integer({ min: 30, max: 200 }), (names, width) => {
        const text = renderTable(
          columns,
          names.map((name) => ({ id: 'r1', name, size: 1 })),
          width,
        );
        for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
        expect(text.split('\n')).toHaveLength(names.length + 2);
      }),
    );
  });
});
