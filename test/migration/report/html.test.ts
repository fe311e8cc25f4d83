import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatRate, formatSeconds } from '../../../src/core/index.js';
import { buildReport, renderReport } from '../../../src/migration/report/index.js';
import { hostileNames, info, inventory, manyVms, vm } from './samples.js';

const page = fileURLToPath(new URL('../../../src/migration/report/page/', import.meta.url));

function htmlOf(names: readonly string[]): Promise<string> {
  const vms = names.map((name, index) =>
    vm({ id: String(index), name, uuid: null, findings: [{ ...info, message: name }] }),
  );
  const source = { kind: 'file', name: names[0] ?? '', saved_at: null } as const;
  return renderReport('html', buildReport({ now: 0, program: '0.1.0', source, inventory: inventory(vms), runs: [] }));
}

describe('the page', () => {
  it('lets through its own style and script alone', async () => {
    const html = await htmlOf(['web01']);
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
    const hashOf = (text = '') => createHash('sha256').update(text).digest('base64');
    const style = /<style>([^]*?)<\/style>/.exec(html)?.[1];
    const script = /<script>([^]*?)<\/script>/.exec(html)?.[1];
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `style-src 'sha256-${hashOf(style)}'`,
      `script-src 'sha256-${hashOf(script)}'`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  it('asks for nothing', async () => {
    const html = await htmlOf(['web01']);
    expect(html.match(/https?:\/\/[^\s'"<]*/g)).toEqual(['http://www.w3.org/2000/svg']);
    expect(html).not.toMatch(
      /<(link|img|iframe|object|embed|base)\b|@import|url\((?!#)|\bfetch\(|XMLHttpRequest|innerHTML/,
    );
  });

  it('has two scripts, whatever VMs are called', async () => {
    const attacks = fc.constantFrom(
      ...hostileNames,
      '<!--',
      '-->',
      '<script',
      '</script',
      ']]>',
      '&lt;/script&gt;',
      '\u2028',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.string(), attacks), { maxLength: 5 }), async (parts) => {
        const name = parts.join('');
        const html = await htmlOf([name]);
        expect(html.match(/<\/script/gi)).toHaveLength(2);
        expect(html.match(/<script/gi)).toHaveLength(2);
        const data = /<script type="application\/json" id="data">([^]*?)<\/script>/.exec(html)?.[1] ?? '';
        expect(data).not.toMatch(/[<>\u2028\u2029]/);
        expect(JSON.parse(data)).toMatchObject({ vms: [{ name }] });
      }),
      { numRuns: 50 },
    );
  });

  it('stays small: a finding is there once', async () => {
    const source = { kind: 'file', name: 'x', saved_at: null } as const;
    const many = inventory(manyVms(2000));
    const report = buildReport({ now: 0, program: '0.1.0', source, inventory: many, runs: [] });
    const html = await renderReport('html', report);
    expect(html.length).toBeLessThan(2_500_000);
    expect(html.split(info.remedy).length - 1).toBe(2); // among all findings, and as the example of its code
  });
});

describe("the page's script", () => {
  it('writes sizes, rates and times as the program does', () => {
    const words = readFileSync(`${page}words.js`, 'utf8');
    const theirs = runInNewContext(`${words}\n;({ formatBytes, formatRate, formatSeconds })`) as Record<
      'formatBytes' | 'formatRate' | 'formatSeconds',
      (value: number) => string
    >;
    fc.assert(
      fc.property(fc.oneof(fc.nat(), fc.double({ min: 0, max: 2 ** 60, noNaN: true })), (value) => {
        expect(theirs.formatBytes(value)).toBe(formatBytes(value));
        expect(theirs.formatRate(value)).toBe(formatRate(value));
        expect(theirs.formatSeconds(value)).toBe(formatSeconds(value));
      }),
    );
  });
});
