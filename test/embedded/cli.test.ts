import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { filesResult, statusResult } from '../support/contract.js';
import { migrateArgs, resultOf, smallVm, usePeers } from '../support/embedded.js';
import { run } from '../support/program.js';

const peers = usePeers({ vms: [smallVm('web01'), smallVm('db, "01"')] });
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const COMMANDS = [
  'doctor',
  'inventory',
  'migrate',
  'import',
  'export',
  'convert',
  'upload',
  'volume',
  'server',
  'status',
  'report',
  'rollback',
];
/** A place where nothing is configured. */
const NOTHING = { HOME: '/nonexistent', STACKFERRY_STATE_DIR: '/nonexistent/state' };

/** What a person must never see. */
function expectNoStack(text: string): void {
  expect(text).not.toMatch(/^\s+at .*[:(]\d+/m);
  expect(text).not.toContain('node:internal');
  expect(text).not.toContain('(internal)');
}

describe.concurrent('without any peer', () => {
  test('--version and --help, and what to type next', async () => {
    const version = await run(['--version'], NOTHING);
    const { version: expected } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect(version).toMatchObject({ code: 0, stdout: `${expected}\n`, stderr: '' });
    const help = await run(['--help'], NOTHING);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    const bare = await run([], NOTHING);
    expect(bare).toMatchObject({ code: 0, stderr: '' });
    for (const next of ['stackferry doctor', 'stackferry inventory', 'stackferry migrate']) {
      expect(bare.stdout).toContain(next);
    }
  });

  test.each(COMMANDS)('%s --help has examples that its own options understand', async (command) => {
    const help = await run([command, '--help'], NOTHING);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    const [options = '', examples = ''] = help.stdout.split('\nExamples:\n');
    expect(examples).toMatch(new RegExp(`^ {2}\\$ .*stackferry ${command}\\b`, 'm'));
    for (const [option] of examples.matchAll(/(?<=\s)--?[a-z][a-z-]*/g)) {
      if (examples.includes(`watch ${option}`)) continue;
      expect(`${options}\n-q, --quiet -v, --verbose -y, --yes`, option).toContain(option);
    }
    for (const line of help.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(140);
  });

  test.each([
    [['migrat'], 'Did you mean migrate?'],
    [['frobnicate'], '--help'],
    [['migrate', '--vn', 'web01'], '--vm'],
    [['migrate', '--frobnicate'], 'frobnicate'],
    [['inventory', '-f', 'xml'], 'json'],
    [['migrate'], '--vm'],
    [['export'], '--vm'],
    [['convert'], '--run'],
    [['upload'], '--run'],
    [['volume'], '--run'],
    [['server'], '--run'],
    [['rollback'], '--run'],
    [['inventory'], '--esxi'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--network', 'nothing'], 'SRC=DST'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--nic', 'eth0=prod'], 'ethernet0'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--nic', 'ethernet0=prod,ip=10.0.0'], 'IP'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--nic', 'ethernet0=prod,mac=zz'], 'MAC'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--wait-for', 'luck'], 'tcp:PORT'],
    [['migrate', '--vm', 'x', '--esxi', 'h', '--run', 'r1'], '--resume'],
    [['migrate', '--vm', 'x', '--esxi', 'a b'], 'HOST[:PORT]'],
    [['migrate', '--vm', 'x', '--timeout-server', '-3'], 'number'],
    [['migrate', '--resume'], 'status'],
    [['server', '--volume', 'a', '--run', 'b'], '--run'],
    [['volume', '--size', '3', '--run', 'b'], '--image'],
    [['convert', 'file', '--run', 'b'], '--run'],
    [['status', '../../etc'], 'run id'],
    [['inventory', 'surplus'], 'too many arguments'],
  ])('%j is wrong usage and says what is right', async (args, hint) => {
    const ended = await run(args, NOTHING);
    expect(ended.code, ended.stderr).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toMatch(/^error {2}.*\(usage\)$/m);
    expect(ended.stderr).toMatch(new RegExp(hint.replace(/[[\]().*+?]/g, '\\$&'), 'i'));
    expectNoStack(ended.stderr);
  });

  test('status of nothing is an empty list, not a failure', async () => {
    const table = await run(['status'], NOTHING);
    expect(table).toMatchObject({ code: 0, stdout: '' });
    const json = await run(['status', '-f', 'json'], NOTHING);
    expect(JSON.parse(json.stdout)).toMatchObject({ runs: [] });
  });
});

describe.concurrent('what is printed', () => {
  test('inventory as table, json, yaml and csv', async () => {
    const lab = await peers.lab();
    const formats = ['table', 'json', 'yaml', 'csv'] as const;
    const [table, json, yaml, csv] = await Promise.all(formats.map((format) => lab.run(['inventory', '-f', format])));
    for (const ended of [table, json, yaml, csv]) expect(ended?.code, ended?.stderr).toBe(0);
    const value = JSON.parse(json?.stdout ?? '') as { vms: { name: string }[] };
    expect(value.vms.map((vm) => vm.name)).toEqual(['web01', 'db, "01"']);
    expect(parse(yaml?.stdout ?? '')).toEqual(value);
    const [head, ...rows] = csv?.stdout.trimEnd().split('\n') ?? [];
    expect(head).toMatch(/^id,name,uuid,/);
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatch(/^\d+,"db, ""01""",/);
    expect(table?.stdout.split('\n')[0]).toMatch(/^NAME +ID +POWER .*READY$/);
    expect(table?.stdout).toMatch(/^web01 .* yes$/m);
    expect(lab.host.commands.every(({ command }) => !/power\.o|dd if='[^']*-flat/.test(command))).toBe(true);
  });

  test('export and status in each format; progress and notes go to stderr', async () => {
    const lab = await peers.lab();
    const json = await lab.run(['export', '--vm', 'web01', '-o', 'disks', '-f', 'json']);
    const files = filesResult.parse(JSON.parse(json.stdout));
    for (const format of ['table', 'yaml', 'csv']) {
      const ended = await lab.run(['export', '--vm', 'web01', '-o', `disks-${format}`, '-f', format]);
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stdout).toContain(files.disks[0]?.content_hash);
      expect(ended.stderr).toContain('export');
      if (format === 'yaml') expect(filesResult.parse(parse(ended.stdout)).disks).toHaveLength(2);
    }
    const quiet = await lab.run(['export', '--vm', 'web01', '-o', 'quiet', '--quiet', '-f', 'json']);
    expect(quiet).toMatchObject({ code: 0, stderr: '' });

    const run = files.run ?? '';
    const status = await lab.run(['status', run, '-f', 'json']);
    expect(statusResult.parse(JSON.parse(status.stdout))).toMatchObject({ run, progress: null });
    const yaml = await lab.run(['status', run, '-f', 'yaml']);
    expect(parse(yaml.stdout)).toEqual(JSON.parse(status.stdout));
    const table = await lab.run(['status', '--run', run]);
    expect(table.stdout).toMatch(/^export:scsi0:0 +done/m);
    const list = await lab.run(['status', '-f', 'csv']);
    expect(list.stdout.trimEnd().split('\n')).toHaveLength(6);
  });

  test('no colours and no moving lines without a terminal, nor with NO_COLOR', async () => {
    const lab = await peers.lab();
    const plain = await lab.run(migrateArgs('web01'));
    resultOf(plain);
    for (const env of [{}, { NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const ended = await lab.run(['rollback', 'nothing'], env);
      expect(`${ended.stdout}${ended.stderr}`).not.toContain('\u001b');
    }
    expect(plain.stderr).not.toMatch(/[\u001b\r]/);
    expect(plain.stderr).toMatch(/^server +web01 .*ACTIVE/m);
  });

  test('a reader that goes away is no failure', async () => {
    const lab = await peers.lab();
    const script = `"$0" "$@" | head -c 1 >/dev/null; exit "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', script, process.execPath, CLI, 'inventory', '-f', 'json'], {
      env: { PATH: process.env['PATH'] ?? '', ...lab.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('errors have a code and a next step, never a stack trace', async () => {
    const lab = await peers.lab();
    const cases: [string[], Record<string, string>, number, RegExp][] = [
      [['inventory'], { STACKFERRY_ESXI_SSH_PORT: '1' }, 1, /\(host\.no_ssh\)/],
      [['inventory'], { STACKFERRY_ESXI_FINGERPRINT: `SHA256:${'A'.repeat(43)}` }, 1, /\(esxi\.host_key\w*\)/],
      [['inventory', '--vm', 'nobody'], {}, 2, /\(vm\.not_found\)/],
      [['inventory'], { STACKFERRY_ESXI: 'no-such-host.invalid' }, 1, /\(esxi\.name_unknown\)/],
      [migrateArgs('nobody'), {}, 2, /\(vm\.not_found\)/],
      [migrateArgs('web01', '--flavor', 'huge'), {}, 3, /\(cloud\.no_flavor\)/],
      [migrateArgs('web01'), { OS_AUTH_URL: 'http://127.0.0.1:1/v3' }, 1, /\(cloud\.unreachable\)/],
    ];
    for (const [args, env, code, message] of cases) {
      const ended = await lab.run(args, env);
      expect(ended.code, ended.stderr).toBe(code);
      expect(ended.stderr).toMatch(message);
      // The line after the error says what to do next.
      expect(ended.stderr).toMatch(/^error {2}.*\n {7}\S/m);
      expectNoStack(ended.stderr);
    }
    expect(lab.cloud.changingRequests()).toEqual([]);
  });

  test('doctor looks at all three sides and changes nothing', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(['doctor', '-f', 'json']);
    expect(ended.code, `${ended.stderr}${ended.stdout}`).toBe(0);
    const text = ended.stdout;
    for (const area of ['converter', 'host', 'cloud']) expect(text).toContain(`"${area}"`);
    for (const what of ['qemu-img', 'shell time-out', 'read rate', 'quota left', 'license'])
      expect(text).toContain(what);
    expect(lab.cloud.changingRequests()).toEqual([]);
    const none = await lab.run(['doctor'], { STACKFERRY_ESXI_SSH_PORT: '1', OS_AUTH_URL: 'http://127.0.0.1:1/v3' });
    expect(none.code).not.toBe(0);
    expectNoStack(none.stderr + none.stdout);
    const table = await lab.run(['doctor'], { STACKFERRY_STATE_DIR: '/proc/stackferry' });
    // Root may write there, as far as the file system says; how much room there is it does not say.
    const isRoot = process.getuid?.() === 0;
    expect(table.code, table.stderr).toBe(isRoot ? 0 : 1);
    expect(table.stdout).toMatch(isRoot ? /^converter +space +unknown/m : /^converter +space +bad/m);
    expect(table.stdout).not.toContain('0 B free');
    expect(table.stdout.match(new RegExp(`\\b${lab.host.port}\\b`, 'g'))).toHaveLength(1);
    const nowhere = await lab.run(['doctor'], { STACKFERRY_STATE_DIR: '/dev/null/state' });
    expect(nowhere.code).toBe(1);
    expect(nowhere.stdout).toMatch(/^converter +space +bad/m);
    expect(nowhere.stderr).toContain('STACKFERRY_STATE_DIR');
  });

  test('a password in --esxi is refused and not repeated', async () => {
    for (const args of [['--esxi', 'root:hunter2@esx1'], ['--esxi-password', 'hunter2'], ['--esxi-password=hunter2']]) {
      const ended = await run(['inventory', ...args], NOTHING);
      expect(ended.code).toBe(2);
      expect(ended.stderr + ended.stdout).not.toContain('hunter2');
    }
  });

  test('options may stand in a file and in variables, as documented', async () => {
    const lab = await peers.lab();
    const { STACKFERRY_ESXI_PASSWORD: password = '', ...rest } = lab.env;
    await writeFile(join(lab.dir, 'password'), `${password}\n`);
    const bySwitch = await run(['inventory', '--esxi-password-file', join(lab.dir, 'password')], rest);
    expect(bySwitch.code, bySwitch.stderr).toBe(0);
    const ours = ['STACKFERRY_ESXI', 'STACKFERRY_ESXI_USER'];
    const govc = Object.fromEntries(Object.entries(rest).filter(([key]) => !ours.includes(key)));
    const byGovc = await run(['inventory'], { ...govc, GOVC_URL: `https://root:${password}@127.0.0.1/sdk` });
    expect(byGovc.code, byGovc.stderr).toBe(0);
    const cloud = Object.fromEntries(Object.entries(lab.env).filter(([key]) => !key.startsWith('OS_')));
    const byFile = await run(migrateArgs('web01', '--os-cloud', 'lab', '--dry-run'), {
      ...cloud,
      OS_CLIENT_CONFIG_FILE: lab.cloud.cloudsYaml,
    });
    expect(byFile.code, byFile.stderr).toBe(0);
  });
});
