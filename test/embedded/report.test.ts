import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { InventoryWithFindings } from '../../src/migration/read-inventory.js';
import type { Report } from '../../src/migration/report/index.js';
import { startCloud } from '../lab/cloud/index.js';
import { buildTree, startHost } from '../lab/esxi/index.js';
import { blocker, disk, hostileNames, info, inventory, manyVms, vm, warning } from '../migration/report/samples.js';
import { Browser, type Page } from '../support/browser.js';
import { migrateArgs, resultOf, smallVm, usePeers } from '../support/embedded.js';
import { guideCommands, missingLines, runGuide } from '../support/guide-blocks.js';
import { makeReader, writeClouds } from '../support/guide-reader.js';
import { run } from '../support/program.js';

/** The built program's reports, in a real browser. */

const peers = usePeers({ vms: [smallVm('web01'), smallVm('</script><script>alert(1)</script>', { folder: 'odd' })] });
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const NOTHING = { STACKFERRY_STATE_DIR: '/nonexistent/state' };

let dir: string;
let browser: Browser;
const pages: Page[] = [];
let count = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stackferry-report-'));
  browser = await Browser.open();
});

afterEach(() => {
  // What no page of ours may do, whatever a test did with it.
  for (const page of pages.splice(0)) {
    expect(page.complaints).toEqual([]);
    expect(page.dialogs).toEqual([]);
    expect(page.requests).toHaveLength(1);
    expect(page.requests[0]).toMatch(/^file:.*\.html/);
  }
});

afterAll(async () => {
  await browser.close();
  await rm(dir, { recursive: true, force: true });
});

/** Writes the report of a saved inventory with the built program; its path. */
async function reportOf(given: InventoryWithFindings, ...args: string[]): Promise<string> {
  const name = join(dir, `inventory${++count}`);
  await writeFile(`${name}.json`, JSON.stringify({ version: 1, ...given }));
  const ended = await run(['report', '--inventory', `${name}.json`, '-o', `${name}.html`, ...args], NOTHING, dir);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: '' });
  return `${name}.html`;
}

async function show(
  path: string,
  { width = 1280, scheme = 'light' }: { width?: number; scheme?: 'light' | 'dark' } = {},
): Promise<Page> {
  const page = await browser.page();
  pages.push(page);
  await page.resize(width);
  await page.colors(scheme);
  await page.goto(pathToFileURL(path).href);
  return page;
}

const two = inventory([
  vm({ findings: [info] }),
  vm({
    id: '2',
    name: 'db01',
    uuid: null,
    power_state: 'on',
    disks: [disk(), disk({ label: 'nvme0:0', controller: 'nvme' })],
    findings: [blocker, warning],
  }),
]);
const names = `[...document.querySelectorAll('tr.vm > th')].map((cell) => cell.textContent)`;
const shown = (page: Page) => page.evaluate<string[]>(names);
const textOf = (page: Page, selector: string) =>
  page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
const click = (page: Page, selector: string) =>
  page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
const focused = (page: Page) =>
  page.evaluate<string>(
    `(({ tagName, id, className, value, textContent }) => [tagName.toLowerCase(), id || className || value || textContent].join(' '))(document.activeElement)`,
  );

describe('two VMs', () => {
  test('says all of them to a manager and an engineer', async () => {
    const page = await show(await reportOf(two, '--rate', '80MiB/s'));
    expect(await page.evaluate('document.title')).toBe('esx1.example.com · migration report');
    expect(await textOf(page, 'h1')).toBe('esx1.example.com');
    expect(await textOf(page, '#totals')).toMatch(/VMs\s+2\s[^]*vCPUs\s+4\s[^]*Provisioned\s+120 GiB[^]*Held\s+9 GiB/);
    const readiness = await textOf(page, '#readiness');
    expect(readiness).toMatch(/Ready\s+1\s+50 %\s+3 GiB\s+39 s/);
    expect(readiness).toMatch(/Blocked\s+1\s+50 %/);
    expect(readiness).toContain('The rate is an assumption: 80 MiB/s was given.');
    expect(await page.evaluate(`document.querySelector('.chart').getAttribute('aria-label')`)).toBe(
      'VMs by readiness. Ready: 1, With remedies: 0, Blocked: 1',
    );
    expect(await textOf(page, '#findings')).toMatch(/Blocker\s+vm\.powered_on\s+1\s[^]*Info\s+disk\.odd_size\s+1/);
    const vms = await textOf(page, '#vms');
    expect(vms).toContain(warning.remedy);
    expect(vms).toContain('nvme0:0');
    expect(vms).not.toContain('do-not-print');
  });

  test('is built for a screen reader', async () => {
    const page = await show(await reportOf(two));
    expect(
      await page.evaluate(`({
        lang: document.documentElement.lang,
        landmarks: ['header', 'main', 'footer', 'form[role=search]'].map((name) => document.querySelectorAll(name).length),
        headings: [...document.querySelectorAll('h1, h2')].map((node) => node.tagName + ' ' + node.textContent),
        levels: [...document.querySelectorAll('h1, h2, h3, h4')].map((node) => Number(node.tagName[1])),
        cells: document.querySelectorAll('table th:not([scope])').length,
        captions: [...document.querySelectorAll('table')].filter((table) => !table.caption).length,
        unlabelled: [...document.querySelectorAll('input, select')].filter((field) => field.labels.length === 0).length,
        unnamed: [...document.querySelectorAll('button')].filter((button) => !(button.getAttribute('aria-label') ?? button.textContent).trim()).length,
        pictures: [...document.querySelectorAll('svg')].filter((picture) => picture.getAttribute('aria-hidden') !== 'true' && !picture.getAttribute('aria-label')).length,
        ids: document.querySelectorAll('[id]').length - new Set([...document.querySelectorAll('[id]')].map((node) => node.id)).size,
        live: document.getElementById('count').getAttribute('role'),
        regions: [...document.querySelectorAll('[role=region]')].filter((node) => !node.getAttribute('aria-label') || node.tabIndex !== 0).length,
      })`),
    ).toEqual({
      lang: 'en',
      landmarks: [1, 1, 1, 1],
      headings: ['H1 esx1.example.com', 'H2 Totals', 'H2 Readiness', 'H2 Findings', 'H2 VMs'],
      levels: [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3],
      cells: 0,
      captions: 0,
      unlabelled: 0,
      unnamed: 0,
      pictures: 0,
      ids: 0,
      live: 'status',
      regions: 0,
    });
  });

  test('is readable in light and dark', async () => {
    const path = await reportOf(two);
    for (const scheme of ['light', 'dark'] as const) {
      const page = await show(path, { scheme });
      // WCAG 2.2, 1.4.3: each text against the first background behind it that is not clear.
      const low = await page.evaluate<string[]>(`(() => {
        const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
        const light = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
          .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
          .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
        const behind = (node) => {
          for (let at = node; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
          }
          return [255, 255, 255];
        };
        const found = new Set();
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const node = walker.currentNode.parentElement;
          if (!walker.currentNode.data.trim() || node.closest('script, noscript, svg') || !node.checkVisibility()) continue;
          const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) found.add(walker.currentNode.data + ' ' + ((a + 0.05) / (b + 0.05)).toFixed(2));
        }
        return [...found];
      })()`);
      expect(low, scheme).toEqual([]);
      const back = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      expect(back).toBe(scheme === 'light' ? 'rgb(245, 246, 248)' : 'rgb(17, 21, 27)');
    }
  });

  test('fits a telephone', async () => {
    const page = await show(await reportOf(two), { width: 400 });
    expect(
      await page.evaluate(
        'document.documentElement.scrollWidth <= document.documentElement.clientWidth && innerWidth === 400',
      ),
    ).toBe(true);
    expect(await shown(page)).toEqual(['db01', 'web01']);
  });

  test('prints, with all details', async () => {
    const page = await show(await reportOf(inventory([...two.vms, vm({ id: '3', name: 'app01' })])));
    expect(await page.evaluate(`document.querySelectorAll('tr.more').length`)).toBe(0);
    await page.evaluate(
      `addEventListener('beforeprint', () => (window.printed = document.querySelectorAll('tr.more').length))`,
    );
    const pdf = await page.pdf();
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(pdf.length).toBeGreaterThan(10_000);
    expect(await page.evaluate('window.printed')).toBe(3);
    expect(await page.evaluate(`document.querySelectorAll('tr.more').length`)).toBe(0);
  });

  test('works by keyboard alone', async () => {
    const page = await show(await reportOf(inventory([...two.vms, vm({ id: '3', name: 'app01' })])));
    await page.press('Tab');
    expect(await focused(page)).toBe('a skip');
    await page.press('Enter');
    expect(await focused(page)).toBe('section vms');
    await page.press('Tab');
    expect(await focused(page)).toBe('input search');
    expect(await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid');
    await page.type('01 ON');
    expect(await shown(page)).toEqual(['db01']);
    await page.evaluate(`document.activeElement.select()`);
    await page.type('01');
    expect(await shown(page)).toEqual(['app01', 'db01', 'web01']);
    await page.press('Tab');
    expect(await focused(page)).toBe('select code');
    await page.press('Tab');
    expect(await focused(page)).toBe('input all');
    await page.press('ArrowRight');
    expect(await shown(page)).toEqual(['app01', 'web01']);
    expect(await textOf(page, '#count')).toBe('2 of 3 VMs');
    await page.press('Tab'); // the region that scrolls
    await page.press('Tab');
    expect(await focused(page)).toBe('button sort');
    await page.press('Enter');
    expect(await shown(page)).toEqual(['web01', 'app01']);
    for (const key of Array<string>(8).fill('Tab')) await page.press(key);
    expect(await focused(page)).toBe('button open');
    await page.press(' ');
    expect(await page.evaluate(`document.activeElement.getAttribute('aria-expanded')`)).toBe('true');
    expect(await textOf(page, 'tr.more')).toContain(info.remedy);
    await page.press('Enter');
    expect(await page.evaluate(`document.querySelectorAll('tr.more').length`)).toBe(0);
  });
});

describe('two thousand VMs', () => {
  let page: Page;
  beforeAll(async () => {
    page = await show(await reportOf(inventory(manyVms(2000))));
    pages.pop(); // looked at below, when all is done with it
  });

  test('draws a hundred, and the others when they are asked for', async () => {
    expect(await textOf(page, '#count')).toBe('2,000 VMs');
    expect(await page.evaluate(`document.querySelectorAll('tr.vm').length`)).toBe(100);
    expect(await page.evaluate(`document.querySelectorAll('*').length`)).toBeLessThan(3000);
    expect(await page.evaluate(`document.querySelectorAll('tr.more').length`)).toBe(0);
    await click(page, '#vms > .button');
    expect(await page.evaluate(`document.querySelectorAll('tr.vm').length`)).toBe(600);
    // On with the first of the new ones.
    expect(await page.evaluate(`[...document.querySelectorAll('button.open')].indexOf(document.activeElement)`)).toBe(
      100,
    );
  });

  test('filters by text, finding and readiness together', async () => {
    const search = (text: string) =>
      page.evaluate(`(() => { const field = document.getElementById('search'); field.value = ${JSON.stringify(text)};
        field.dispatchEvent(new Event('input')); })()`);
    await search('web1996');
    expect(await shown(page)).toEqual(['web1996']);
    await search('10.0.7.207');
    expect(await shown(page)).toEqual(['mail2000']);
    await search('nothing has this name');
    expect(await textOf(page, '#count')).toBe('0 of 2,000 VMs');
    expect(await textOf(page, 'table.vms tbody')).toBe('No VM fits.');
    await search('');
    await click(page, 'input[value=blocked]');
    expect(await textOf(page, '#count')).toBe('400 of 2,000 VMs');
    await page.evaluate(`(() => { const field = document.getElementById('code'); field.value = 'disk.nvme';
      field.dispatchEvent(new Event('change')); })()`);
    const both = manyVms(2000).filter((one) => one.findings.includes(warning) && one.power_state === 'on').length;
    expect(both).toBeGreaterThan(0);
    expect(await textOf(page, '#count')).toBe(`${both} of 2,000 VMs`);
    // From the table of findings: only those, whatever was chosen before.
    await click(page, 'button[aria-label="Show the VMs with vm.powered_on"]');
    expect(await textOf(page, '#count')).toBe('400 of 2,000 VMs');
    expect(await page.evaluate(`document.querySelector('input[value=all]').checked`)).toBe(true);
    await page.evaluate(`(() => { const field = document.getElementById('code'); field.value = '';
      field.dispatchEvent(new Event('change')); })()`);
    expect(await textOf(page, '#count')).toBe('2,000 VMs');
  });

  test('sorts by each column, both ways, and says so', async () => {
    const sort = (column: number) => click(page, `table.vms thead th:nth-child(${column}) button`);
    const state = () =>
      page.evaluate<[string, string][]>(
        `[...document.querySelectorAll('table.vms th[aria-sort]')].map((cell) => [cell.textContent, cell.getAttribute('aria-sort')])`,
      );
    const first = (column: number) =>
      page.evaluate<string>(`document.querySelector('tr.vm > :nth-child(${column})').textContent`);
    expect(await state()).toEqual([['Name', 'ascending']]);
    expect((await shown(page))[0]).toBe('app0003');
    for (const [column, name, low, high] of [
      [2, 'Readiness', 'Ready', 'Blocked'],
      [3, 'Power', 'on', 'off'],
      [4, 'vCPUs', '1', '8'],
      [5, 'Memory', '1 GiB', '16 GiB'],
      [6, 'Provisioned', '10 GiB', '198 GiB'],
      [7, 'To move', '2 GiB', '20 GiB'],
      [8, 'First to do', 'shut it down first (vm.powered_on)', 'shut it down first (vm.powered_on)'],
    ] as const) {
      await sort(column);
      expect(await state()).toEqual([[name, 'ascending']]);
      expect(await first(column)).toBe(low);
      await sort(column);
      expect(await state()).toEqual([[name, 'descending']]);
      expect(await first(column)).toBe(high);
    }
    await sort(1);
    await sort(1);
    expect((await shown(page))[0]).toBe('win1999');
  });

  test('prints the rows of all, and the details of none', async () => {
    await page.evaluate(
      `addEventListener('beforeprint', () => (window.printed = ['tr.vm', 'tr.more'].map((name) => document.querySelectorAll(name).length)))`,
    );
    await page.pdf();
    expect(await page.evaluate('window.printed')).toEqual([2000, 0]);
    expect(await page.evaluate(`document.querySelectorAll('tr.vm').length`)).toBe(100);
  });

  test('did so in silence', () => {
    expect(page.complaints).toEqual([]);
    expect(page.requests).toHaveLength(1);
  });
});

test('hostile names do nothing but be seen', async () => {
  const vms = hostileNames.map((name, index) =>
    vm({
      id: String(index),
      name,
      uuid: null,
      vmx_path: name,
      guest_id: name,
      disks: [disk({ path: name })],
      findings: [{ ...warning, code: name, subject: name, message: name, remedy: name }],
    }),
  );
  const given = inventory(vms, { skipped: [{ id: '99', name: hostileNames[0] ?? '', reason: hostileNames[1] ?? '' }] });
  const host = { ...given.host, name: hostileNames[1] ?? '', product: hostileNames[3] ?? '' };
  const page = await show(await reportOf({ ...given, host }));
  await page.evaluate(`document.querySelectorAll('button.open').forEach((button) => button.click())`);
  await page.evaluate(`document.querySelectorAll('#findings button').forEach((button) => button.click())`);
  await page.pdf();
  expect(await page.evaluate(`document.querySelectorAll('script').length`)).toBe(2);
  expect(await page.evaluate(`document.querySelectorAll('img, iframe, style ~ style').length`)).toBe(0);
  await page.evaluate(`(() => { const field = document.getElementById('code'); field.value = '';
    field.dispatchEvent(new Event('change')); })()`);
  const seen = await shown(page);
  expect(seen).toHaveLength(hostileNames.length);
  expect(seen).toContain('<script>alert(1)</script>');
  expect(seen).toContain('a\\u202egnp.exe');
  expect(seen).toContain('__proto__');
});

test('a policy is there, and it holds', async () => {
  const path = await reportOf(two);
  const html = await readFile(path, 'utf8');
  // As if someone had got a script and a picture into the page after all.
  const broken = path.replace('.html', '-broken.html');
  await writeFile(
    broken,
    html.replace(
      '<main',
      '<script>document.title = "broken"</script><img src="http://192.0.2.1/x.png" onerror="alert(1)"><main',
    ),
  );
  const page = await show(broken);
  pages.pop();
  expect(await page.evaluate('document.title')).toBe('esx1.example.com · migration report');
  expect(page.complaints.filter((line) => line.includes('Content Security Policy')).length).toBeGreaterThanOrEqual(2);
  expect(page.dialogs).toEqual([]);
});

describe('of the program', () => {
  test('the host itself: a page, Markdown, JSON, limited by --vm', async () => {
    const lab = await peers.lab();
    const json = await lab.run(['report', '-f', 'json']);
    expect(json.code, json.stderr).toBe(0);
    const report = JSON.parse(json.stdout) as Report;
    expect(report).toMatchObject({
      version: 1,
      source: { kind: 'host', name: lab.env['STACKFERRY_ESXI'] },
      totals: { vms: 2, blocked: 0 },
      run: null,
    });
    const one = await lab.run(['report', '--vm', 'web*', '-f', 'md']);
    expect(one.stdout).toContain('### web01 (id ');
    expect(one.stdout).not.toContain('alert');
    const path = join(lab.dir, 'host.html');
    const ended = await lab.run(['report', '-o', 'host.html']);
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: 'Wrote host.html: 2 VMs. Nothing was changed.\n' });
    const page = await show(path);
    expect(await shown(page)).toEqual(['</script><script>alert(1)</script>', 'web01']);
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });

  test('a run, by itself and beside an inventory', async () => {
    const lab = await peers.lab();
    const result = resultOf(await lab.run(migrateArgs('web01')));
    const [vmResult] = result.vms;
    const json = await lab.run(['report', result.run.slice(0, 6), '-f', 'json']);
    const report = JSON.parse(json.stdout) as Report;
    expect(report.run).toMatchObject({ run: result.run, state: 'done', vm: { name: 'web01' }, error: null });
    expect(report.run?.target.server).toMatchObject({ server_id: vmResult?.server_id });
    expect(report.run?.target.volumes.map(({ volume_id, content_hash }) => [volume_id, content_hash])).toEqual(
      vmResult?.volumes.map(({ volume_id, content_hash }) => [volume_id, content_hash]),
    );
    expect(report.run?.target.ports.map(({ port_id }) => port_id)).toEqual(
      vmResult?.ports.map(({ port_id }) => port_id),
    );
    expect(report.run?.timeline.steps.every(({ state }) => state === 'done')).toBe(true);
    for (const step of report.run?.timeline.steps ?? []) {
      const reads = step.step.startsWith('image:');
      expect(step.from_host, step.step).toBe(reads);
      if (reads)
        expect(step).toMatchObject({ title: expect.stringMatching(/^Copy from the host and upload · /) as string });
      else expect([step.step, step.bytes, step.rate_bytes_per_second]).toEqual([step.step, null, null]);
    }
    expect(report.run?.timeline.steps.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['Look at the source', 'Look at the source again']),
    );
    expect(report.run?.proofs[0]).toMatchObject({ claim: 'The disk was read whole from the host', proved: true });
    expect(report.vms).toMatchObject([{ name: 'web01', moved: true, readiness: 'ready' }]);

    const saved = await lab.run(['inventory', '-f', 'json']);
    await writeFile(join(lab.dir, 'host.json'), saved.stdout);
    const ended = await lab.run(['report', '--inventory', 'host.json', result.run, '-o', 'both.html']);
    expect(ended.code, ended.stderr).toBe(0);
    const page = await show(join(lab.dir, 'both.html'));
    const shownRun = await textOf(page, `#run-${result.run}`);
    expect(shownRun).toContain(vmResult?.server_id ?? 'no server');
    expect(shownRun).toContain('The volume holds the image');
    expect(shownRun).toContain('Not proved');
    expect(await textOf(page, 'table.vms')).toMatch(/web01\s+Moved/);
    expect(await textOf(page, 'table.vms')).toContain(vmResult?.server_id ?? 'no server');
    const secrets = await readFile(join(lab.dir, 'both.html'), 'utf8');
    expect(secrets).not.toContain(lab.env['STACKFERRY_ESXI_PASSWORD']);

    const rolledBack = await lab.run(['rollback', result.run, '--yes', '--discard', 'web01']);
    expect(rolledBack.code, rolledBack.stderr).toBe(0);
    const after = JSON.parse((await lab.run(['report', result.run, '-f', 'json'])).stdout) as Report;
    expect(after.run).toMatchObject({ state: 'rolled_back', target: { server: { server_id: null } } });
    expect(after.totals.moved).toBe(0);
  });

  test('a run that failed says where and what to do', async () => {
    const lab = await peers.lab();
    const ended = await lab.run([...migrateArgs('web01'), '--volume-type', 'no-such-type']);
    expect(ended.code).not.toBe(0);
    lab.cloud.settings.delays.boot = 3_600_000;
    const failed = await lab.run([...migrateArgs('web01'), '--timeout-console', '1']);
    expect(failed.code).toBe(1);
    const runs = JSON.parse((await lab.run(['status', '-f', 'json'])).stdout) as { runs: { run: string }[] };
    const id = runs.runs.at(-1)?.run ?? '';
    const report = JSON.parse((await lab.run(['report', id, '-f', 'json'])).stdout) as Report;
    expect(report.run).toMatchObject({ state: 'failed', error: { code: 'boot.not_proved' } });
    expect(report.run?.timeline.steps.at(-1)).toMatchObject({ step: 'boot', state: 'failed' });
    expect(report.run?.proofs.at(-1)).toMatchObject({ claim: 'The guest booted', proved: false });
    await lab.run(['report', id, '-o', 'failed.html']);
    const page = await show(join(lab.dir, 'failed.html'));
    expect(await textOf(page, '.callout.bad')).toMatch(/boot\.not_proved[^]*What to do: Look at its console/);
  });

  test.each([
    [['report'], 2, 'Nothing is named that a report could be made of.'],
    [['report', '--inventory', 'missing.json'], 2, 'There is no file missing.json.'],
    [['report', '--inventory', 'x.json', '--esxi', 'esx1'], 2, 'Both --inventory and --esxi are given.'],
    [['report', '--from', 'x.json', '--esxi', 'esx1'], 2, 'Both --from and --esxi are given.'],
    [['report', '--from', 'x.json', '--inventory', 'y.json'], 2, '--from and --inventory name two files.'],
    [['report', 'r0000000'], 2, 'There is no run r0000000'],
    [['report', '--inventory', '.'], 2, 'cannot be read'],
    [['report', '--inventory', '/dev/null'], 2, '/dev/null is empty.'],
    [['report', '--inventory', 'x.json', '--rate', 'fast'], 2, '--rate "fast" is no rate.'],
    [['report', '--inventory', 'x.json', '-f', 'pdf'], 2, 'html, md, json'],
    [['report', '--from', 'x.json', '-o', 'x.pdf'], 2, '-o x.pdf: a report is not written as .pdf.'],
    [
      ['report', '--from', 'x.json', '-o', 'esx1.example.com'],
      2,
      '-o esx1.example.com: a report is not written as .com.',
    ],
  ])('refuses %j', async (args, code, message) => {
    const ended = await run(args, NOTHING, dir);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toContain(message);
  });

  test('writes over a file as a whole, keeps its mode and a link, and follows its ending', async () => {
    const saved = join(dir, 'two.json');
    await writeFile(saved, JSON.stringify(two));
    const target = join(dir, 'target.md');
    await writeFile(target, 'old', { mode: 0o600 });
    await symlink('target.md', join(dir, 'link.md'));
    const ended = await run(['report', '--inventory', saved, '-o', 'link.md', '--quiet'], NOTHING, dir);
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(target, 'utf8')).toMatch(/^# Migration report: esx1\.example\.com\n/);
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    const named = await run(['report', '--from', saved, '-f', 'json', '-o', 'two.pdf'], NOTHING, dir);
    expect(named.code, named.stderr).toBe(0);
    expect((JSON.parse(await readFile(join(dir, 'two.pdf'), 'utf8')) as Report).version).toBe(1);
    const bare = await run(['report', '--from', saved, '-o', 'two'], NOTHING, dir);
    expect(bare.code, bare.stderr).toBe(0);
    expect(await readFile(join(dir, 'two'), 'utf8')).toMatch(/^<!doctype html>/);
    const none = await run(['report', '--inventory', saved, '-o', 'no/such/folder.html'], NOTHING, dir);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain('no/such/folder.html cannot be written');
    // What is no file is written to, and not replaced.
    const line = `'${process.execPath}' '${CLI}' report --inventory '${saved}' -f json --quiet -o /dev/stdout | cat`;
    const { stdout } = await execa('sh', ['-c', line], { env: NOTHING });
    expect((JSON.parse(stdout) as Report).totals.vms).toBe(2);
    const dash = ['report', '--inventory', '-', '-o', '-', '-f', 'md'];
    const piped = await execa(process.execPath, [CLI, ...dash], { env: NOTHING, input: JSON.stringify(two) });
    expect(piped.stdout).toContain('from stdin, an inventory saved on an unknown date.');
    const empty = await run(dash, NOTHING, dir);
    expect(empty).toMatchObject({ code: 2, stdout: '' });
    expect(empty.stderr).toContain('stdin is empty.');
  });
});

test('every command of the guide runs, and shows what it shows', async () => {
  const folder = join(dir, 'guide');
  await mkdir(folder);
  const reader = await makeReader(folder);
  const spec = [smallVm('web01'), smallVm('db01', { power: 'on', tools: 'running' })];
  const host = await startHost({ tree: await buildTree(join(folder, 'tree'), { vms: spec }) });
  const cloud = await startCloud({ directory: join(folder, 'cloud') });
  try {
    for (const network of cloud.state.networks) if (network.name === 'lab-net') network.name = 'prod';
    const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
    await writeClouds(reader, { scs: file.parse(parse(await readFile(cloud.cloudsYaml, 'utf8'))).clouds['lab'] });
    Object.assign(reader.env, {
      STACKFERRY_ESXI_SSH_PORT: String(host.port),
      STACKFERRY_ESXI_PASSWORD: host.password,
      STACKFERRY_ESXI_FINGERPRINT: host.fingerprint,
    });
    const commands = guideCommands(await readFile(new URL('../../guides/report.md', import.meta.url), 'utf8'));
    const ran = await runGuide(commands, { env: reader.env, cwd: reader.home });
    expect(ran).toHaveLength(commands.length);
    for (const { command, output } of ran) {
      expect(missingLines(command.shown, output), `line ${command.line}: $ ${command.text}\n${output}`).toEqual([]);
    }
    const page = await show(join(reader.home, 'both.html'));
    expect(await textOf(page, 'table.vms')).toMatch(/db01\s+Blocked[^]*web01\s+Moved/);
  } finally {
    await Promise.all([host.close(), cloud.stop()]);
  }
});
