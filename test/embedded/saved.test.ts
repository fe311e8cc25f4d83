import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { smallVm, usePeers, type Lab } from '../support/embedded.js';
import type { Ended } from '../support/program.js';

/** What the program makes of a saved inventory: how old it is, whose it is, and whether it can be true. */

const peers = usePeers({ vms: [smallVm('web01'), smallVm('web02')] });
const OPEN = ['--network', '*=lab-net', '--security-group', 'web_ssh'];
const DAY = 24 * 3600 * 1000;
const NOWHERE = { STACKFERRY_ESXI: '', STACKFERRY_ESXI_PASSWORD: '', STACKFERRY_ESXI_SSH_PORT: '' };

const inventory = z.looseObject({
  saved_at: z.string(),
  source: z.object({ host: z.string(), port: z.number(), user: z.string() }),
  vms: z.array(z.looseObject({ disks: z.array(z.looseObject({})) })),
});
type Saved = z.infer<typeof inventory>;

/** Saves the lab's inventory, and writes it anew as `change` makes it. */
async function save(lab: Lab, change: (saved: Saved) => void = () => undefined): Promise<void> {
  expect((await lab.run(['inventory', '--save', 'esx1.json', '-c', 'name'])).code).toBe(0);
  const path = join(lab.dir, 'esx1.json');
  const saved = inventory.parse(JSON.parse(await readFile(path, 'utf8')));
  change(saved);
  await writeFile(path, JSON.stringify(saved));
}

/** Runs it where no host is known, and none is asked. */
async function offline(lab: Lab, ...args: string[]): Promise<Ended> {
  const { connectionCount } = lab.host;
  const ended = await lab.run(args, NOWHERE);
  expect(lab.host.connectionCount).toBe(connectionCount);
  return ended;
}

const daysAgo = (days: number) => (saved: Saved) => {
  saved.saved_at = new Date(Date.now() - days * DAY - 60_000).toISOString();
};

describe('the age of a saved inventory', () => {
  test('is told wherever it is used, and warned of beyond a week', async () => {
    const lab = await peers.lab();
    await save(lab, daysAgo(12));
    const { saved_at } = inventory.parse(JSON.parse(await readFile(join(lab.dir, 'esx1.json'), 'utf8')));
    const when = `${saved_at.slice(0, 10)} ${saved_at.slice(11, 16)} UTC, 12 days ago`;
    const from = ['--from', 'esx1.json', '--vm', 'web01'];
    const told = async (...args: string[]) => {
      const ended = await offline(lab, ...args);
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stderr).toContain('The saved inventory is 12 days old');
      return ended;
    };
    expect((await told('inventory', '--from', 'esx1.json')).stderr).toContain(`Saved on ${when}; no host was asked.`);

    await told('plan', ...from, ...OPEN, '-o', 'plan.yaml');
    const text = await readFile(join(lab.dir, 'plan.yaml'), 'utf8');
    expect(text).toContain(`# Of an inventory that was saved on ${when}; the host was not asked.\n`);
    const plan = z.looseObject({ created_at: z.string(), inventory_saved_at: z.string() }).parse(parse(text));
    expect(plan.inventory_saved_at).toBe(saved_at);
    expect(Date.now() - Date.parse(plan.created_at)).toBeLessThan(DAY);

    for (const subject of [['plan.yaml'], ['--vm', 'web01', ...OPEN]]) {
      const checked = await offline(lab, 'check', ...subject, '--from', 'esx1.json', '-f', 'json');
      expect(checked.code, checked.stderr).toBe(0);
      expect(checked.stderr).toContain(`; inventory saved on ${when}; `);
      expect(JSON.parse(checked.stdout)).toMatchObject({
        state: 'warnings',
        host: { state: 'warnings', inventory_saved_at: saved_at },
      });
      expect(checked.stdout).toContain('"inventory.old"');
    }
    const accepted = await offline(lab, 'check', 'plan.yaml', '--from', 'esx1.json', '--accept', 'inventory.old');
    expect([accepted.code, accepted.stderr]).toEqual([0, expect.stringContaining('host unknown (not asked)')]);

    expect((await told('estimate', ...from)).stderr).toContain(`Of an inventory saved on ${when};`);
    const estimate = await told('estimate', 'plan.yaml', '--from', 'esx1.json', '-f', 'json');
    expect(JSON.parse(estimate.stdout)).toMatchObject({ inventory_saved_at: saved_at });

    for (const which of [
      [...from, ...OPEN],
      ['plan.yaml', '--from', 'esx1.json'],
    ]) {
      const guide = await told('guide', ...which);
      expect(guide.stdout.replace(/\s+/g, ' ')).toContain(`of a saved inventory of ${when}: the host was not asked`);
    }

    const markdown = await told('report', '--inventory', 'esx1.json', '-f', 'md');
    expect(markdown.stdout).toContain(`from esx1.json, an inventory saved on ${when}.\n\n**Warning**: `);
    const report = await told('report', '--from', 'esx1.json', '-f', 'json');
    expect(JSON.parse(report.stdout)).toMatchObject({ source: { kind: 'file', name: 'esx1.json', saved_at } });
  });

  test('of a few days is told without a warning; a host that was asked has none', async () => {
    const lab = await peers.lab();
    await save(lab, daysAgo(3));
    const checked = await offline(lab, 'check', '--vm', 'web01', ...OPEN, '--from', 'esx1.json');
    expect([checked.code, checked.stderr]).toEqual([0, expect.stringMatching(/host unknown .* 3 days ago; /)]);
    expect(checked.stderr).not.toContain('days old');
    const live = await lab.run(['plan', '--vm', 'web01', ...OPEN]);
    expect(live.code, live.stderr).toBe(0);
    expect(live.stdout).not.toContain('saved');
    const estimate = await lab.run(['estimate', '--vm', 'web01', '--rate', '80MiB/s', '-f', 'json']);
    expect(JSON.parse(estimate.stdout)).toMatchObject({ inventory_saved_at: null });
  });
});

describe('a plan and an inventory of another host', () => {
  const USES = [['check'], ['estimate'], ['guide']];

  test('do not go together, unless --esxi says that they do', async () => {
    const lab = await peers.lab();
    await save(lab);
    expect((await offline(lab, 'plan', '--from', 'esx1.json', '--vm', 'web01', ...OPEN, '-o', 'plan.yaml')).code).toBe(
      0,
    );
    for (const [command = ''] of USES) {
      const ended = await offline(lab, command, 'plan.yaml', '--from', 'esx1.json');
      expect(ended.code, `${command}: ${ended.stderr}`).toBe(0);
    }
    const port = String(lab.host.port);
    for (const [host, ssh] of [
      ['esx2.example.com', lab.host.port],
      [lab.host.host, lab.host.port + 1],
    ] as const) {
      await save(lab, (saved) => Object.assign(saved.source, { host, port: ssh }));
      for (const [command = ''] of ssh === lab.host.port ? USES : [['check']]) {
        const ended = await offline(lab, command, 'plan.yaml', '--from', 'esx1.json');
        expect([ended.code, ended.stdout], command).toEqual([3, '']);
        expect(ended.stderr).toContain(
          `esx1.json is an inventory of ${host}, SSH port ${ssh}, and the plan is for ${lab.host.host}, SSH port ${port}. (plan.other_host)`,
        );
        expect(ended.stderr).toContain(`--esxi ${lab.host.host}`);
      }
    }
    for (const [command = ''] of USES) {
      const said = await offline(lab, command, 'plan.yaml', '--from', 'esx1.json', '--esxi', lab.host.host);
      expect(said.code, `${command}: ${said.stderr}`).toBe(0);
    }
  });
});
