import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { migrateArgs, smallVm, usePeers, type Lab, type LabOptions } from '../support/embedded.js';
import { filesResult, migrationResult } from '../support/contract.js';

/**
 * `--dry-run`: the calls that it prints are those that go out without it, in order and with the same bodies; and with it
 * none goes out, to the cloud, to the host or to this disk.
 */

const peers = usePeers({
  vms: [
    smallVm('web01'),
    smallVm('web02'),
    smallVm('odd-size', { cpus: 3, memoryMib: 1280 }),
    smallVm('db01', { power: 'on', tools: 'running' }),
    smallVm('db02', { power: 'on', tools: 'running' }),
  ],
});
const TO_LAB = ['--network', '*=lab-net', '--security-group', 'web_ssh'];

const callSchema = z.object({
  step: z.string(),
  service: z.string(),
  method: z.string(),
  path: z.string(),
  body: z.unknown(),
});
/** `vm` counts the VMs of a plan: their calls name what is made by the same words. */
type Call = z.infer<typeof callSchema> & { vm: number };
/** Of a plan of several VMs the calls are told VM by VM. */
const callsSchema = z.union([
  z.object({ calls: z.array(callSchema) }).transform(({ calls }) => calls.map((call): Call => ({ ...call, vm: 0 }))),
  z
    .object({ vms: z.array(z.object({ calls: z.array(callSchema) })) })
    .transform(({ vms }) => vms.flatMap(({ calls }, vm) => calls.map((call): Call => ({ ...call, vm })))),
]);

/** Programs that the host may be asked to run, each with the arguments by which it only looks. */
const LOOKS: Record<string, RegExp> = {
  'vim-cmd':
    /^(vmsvc\/(getallvms|get\.\w+|power\.getstate|message|snapshot\.get|device\.getdevices)|hostsvc\/(net\/info|hostsummary|advopt\/view)|vimsvc\/license --show)\b/,
  esxcli: /^(--\S+ )*([\w ]+ (list|get)\b|Q$)/,
  vmkfstools: /^-(q|D|t0)\b/,
  dd: /^(?!.*\bof=(?!\/dev\/null))/,
  sed: /^(?!-i)/,
};
const PLAIN =
  /^(\[|test|printf|echo|shift|exit|return|read|ls|stat|du|df|cat|head|tail|wc|grep|readlink|hostname|e|:)$/;
const KEYWORDS = /^((if|then|elif|else|fi|for|while|do|done|case|esac|!|[a-z]+=\S*)( |$))+/;
/** The scripts' own functions have one letter: these run the command behind the name, the others what they hold. */
const FUNCTION_CALL = /^([gh] \S+ |[a-df-z](?= |$).*)/;

/** Runs a command that must change nothing, and sees that it did not. */
async function dry(lab: Lab, args: readonly string[], env: Record<string, string> = {}) {
  const [cloud, files] = [JSON.stringify(lab.cloud.inventory()), await everyFile(lab.dir)];
  lab.cloud.clearLog();
  lab.host.resetLog();
  const ended = await lab.run([...args, '--dry-run'], env);
  expect(lab.cloud.changingRequests()).toEqual([]);
  expect(changes(lab)).toEqual([]);
  expect(JSON.stringify(lab.cloud.inventory())).toBe(cloud);
  expect(await everyFile(lab.dir)).toEqual(files);
  return ended;
}

/** Of the commands that reached the host, what is not known to only look. */
function changes(lab: Lab): string[] {
  return lab.host.commands.flatMap(({ command }) => offences(command));
}

/** The programs of a command line or script that do not only look; all of it where it writes elsewhere than to /dev/null. */
function offences(command: string): string[] {
  const bare = command.replace(/'[^']*'|"[^"]*"/g, 'Q');
  const targets = [...bare.matchAll(/\d*>+\s*(\S+?)(?=[\s;)}|]|$)/g)].map(([, target = '']) => target);
  if (!targets.every((target) => target === '/dev/null' || /^&\d$/.test(target))) return [command];
  const parts = bare
    .replace(/\d*>+\s*(\/dev\/null|&\d)/g, ' ')
    .split(/[;|&{}()\n]+/)
    .map((part) =>
      part
        .trim()
        .replace(KEYWORDS, '')
        .replace(FUNCTION_CALL, '')
        .replace(/^e(?= )/, 'esxcli')
        .trim(),
    );
  return parts.filter((part) => {
    const [word = '', ...rest] = part.split(' ');
    return word !== '' && word !== 'Q' && !PLAIN.test(word) && LOOKS[word]?.test(rest.join(' ')) !== true;
  });
}

/** Every file of the lab's folder, the cloud's own left out. */
async function everyFile(dir: string): Promise<string[]> {
  const names = await readdir(dir, { recursive: true });
  return names.filter((name) => !name.startsWith('cloud')).sort();
}

const calls = async (lab: Lab, args: readonly string[], env: Record<string, string> = {}): Promise<Call[]> => {
  const ended = await dry(lab, [...args, '-f', 'json'], env);
  expect(ended.code, ended.stderr).toBe(0);
  return callsSchema.parse(JSON.parse(ended.stdout));
};

/** Prints the calls, then does it, and compares: gives both. */
async function dryThenReal(lab: Lab, args: readonly string[], env: Record<string, string> = {}) {
  const planned = await calls(lab, args, env);
  lab.cloud.clearLog();
  lab.host.resetLog();
  const ended = await lab.run([...args, '-f', 'json'], env);
  expect(ended.code, ended.stderr).toBe(0);
  const ofCloud = planned.filter(({ service }) => service !== 'local' && service !== 'esxi');
  expectSame(
    ofCloud.map((call) => ({ vm: call.vm, line: textOf({ ...call, path: below(call.path) }) })),
    lab.cloud.changingRequests().map(textOf),
  );
  const ordered = lab.host.commands.map(({ command }) => command).filter((command) => POWERS.test(command));
  expect(planned.filter(({ service }) => service === 'esxi').map(({ path }) => path)).toEqual(
    ordered.map((command) => command.replaceAll("'", '')),
  );
  return { planned, ended };
}

/** All that the program ever changes on a host. */
const POWERS = /^vim-cmd vmsvc\/(power\.(?!getstate)|snapshot\.(?!get))/;

/** The embedded cloud logs paths without the service's own prefix. */
const below = (path: string) => path.replace(/^\/(image|volume|network|compute)(?=\/v\d)/, '');

/** A call on one line. Of an image's bytes only that they are sent; of a body only when it was built, not the day. */
function textOf({ method, path, body }: { method: string; path: string; body?: unknown }): string {
  const said = typeof body === 'object' && body !== null ? JSON.stringify(sorted(body)) : '';
  return `${method} ${path} ${said}`.replace(/"image_build_date":"[^"]*"/g, '"image_build_date":"?"');
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

const literally = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The lines are the same where a word that stands for an id (`VOLUME_scsi0_1`, `RUN`) is one id all along. */
function expectSame(planned: readonly { vm: number; line: string }[], sent: readonly string[]): void {
  const kind = (line: string) => line.split(' ', 1)[0];
  const lines = planned.map(({ line }) => line);
  expect(sent.map(kind), `${lines.join('\n')}\n---\n${sent.join('\n')}`).toEqual(lines.map(kind));
  const ids = new Map<string, string>();
  for (const [index, { vm, line }] of planned.entries()) {
    const names: string[] = [];
    const pattern = line
      .split(/\b((?:IMAGE|VOLUME|PORT|SERVER)_\w+|RUN)\b/)
      .map((part, at) => {
        if (at % 2 === 0) return literally(part);
        const known = ids.get(`${vm} ${part}`);
        if (known !== undefined) return literally(known);
        if (names.includes(part)) return `\\${names.indexOf(part) + 1}`;
        names.push(part);
        return '([0-9a-z-]+)';
      })
      .join('');
    const found = new RegExp(`^${pattern}$`).exec(sent[index] ?? '');
    if (!found) expect(sent[index]).toBe(line);
    for (const [at, name] of names.entries()) ids.set(`${vm} ${name}`, found?.[at + 1] ?? '');
  }
  expect(new Set(ids.values()).size).toBe(ids.size);
}

async function planOf(lab: Lab, ...args: string[]): Promise<string> {
  const ended = await lab.run(['plan', ...args, ...TO_LAB, '-o', 'plan.yaml']);
  expect(ended.code, ended.stderr).toBe(0);
  return join(lab.dir, 'plan.yaml');
}

test('commands that change the host are told from those that look', () => {
  const changing = [
    'vim-cmd vmsvc/power.off 1',
    'vim-cmd vmsvc/snapshot.create 1 x',
    "rm -f '/vmfs/volumes/a'",
    "dd if='/a' of='/b'",
    "vmkfstools -U '/a.vmdk'",
    'esxcli system settings advanced set -o /X -i 0',
    'ls / > /tmp/x',
    "printf x; { mv 'a' 'b'; }",
    'g x vim-cmd vmsvc/power.on 1',
    "sed -i 's/a/b/' /x",
  ];
  expect(changing.filter((command) => offences(command).length === 0)).toEqual([]);
  const reading = [
    'vim-cmd vmsvc/getallvms',
    "dd if='/a' bs=1048576 skip=0 2>/dev/null",
    'g x esxcli system version get',
  ];
  expect(reading.flatMap(offences)).toEqual([]);
});

describe.concurrent('--dry-run of migrate', () => {
  test('prints what is then sent, and begins no run', async () => {
    const lab = await peers.lab();
    const { planned } = await dryThenReal(lab, migrateArgs('web01', '--security-group', 'web_ssh').slice(0, -2));
    expect(planned.length).toBeGreaterThan(8);
    expect(planned.filter(({ service }) => service === 'local')).toEqual([]); // one pass writes nothing here
  });

  test('names the power commands that were allowed, and gives none', async () => {
    const lab = await peers.lab();
    const forced = await calls(lab, ['migrate', '--vm', 'db01', ...TO_LAB, '--power-off', '--force-off']);
    expect(forced.slice(0, 2).map(({ service, path }) => `${service} ${path.replace(/\d+$/, 'ID')}`)).toEqual([
      'esxi vim-cmd vmsvc/power.shutdown ID',
      'esxi vim-cmd vmsvc/power.off ID',
    ]);
    // A guest that shuts down when it is asked to needs no more.
    const { planned } = await dryThenReal(lab, ['migrate', '--vm', 'db02', ...TO_LAB, '--power-off', '--yes']);
    expect(planned.filter(({ service }) => service === 'esxi')).toHaveLength(1);
  });

  test('of a plan prints the calls of all its VMs', async () => {
    const lab = await peers.lab();
    await planOf(lab, '--vm', 'web0?');
    const { planned } = await dryThenReal(lab, ['migrate', 'plan.yaml', '--yes']);
    expect(planned.filter(({ path }) => path.endsWith('/servers'))).toHaveLength(2);
  });

  test('prints the flavor that --create-flavor would make', async () => {
    const lab = await peers.lab({ credentials: 'lab-admin' });
    const args = ['migrate', '--vm', 'odd-size', '--network', '*=lab-provider', '--create-flavor', '--yes'];
    const { planned } = await dryThenReal(lab, args);
    expect(planned.find(({ path }) => path.endsWith('/flavors'))?.body).toMatchObject({
      flavor: { vcpus: 3, ram: 1280, disk: 0 },
    });
  });
});

describe.concurrent('--dry-run of a run’s steps', () => {
  test('prints the part of each, and what rollback would remove', async () => {
    const lab = await peers.lab();
    const exported = await dryThenReal(lab, ['export', '--vm', 'web01']);
    const run = filesResult.parse(JSON.parse(exported.ended.stdout)).run ?? '';
    const converted = await dryThenReal(lab, ['convert', '--run', run]);
    for (const { planned } of [exported, converted]) {
      expect(planned.map(({ service, method }) => `${service} ${method}`)).toEqual(['local WRITE', 'local WRITE']);
    }
    for (const { path } of converted.planned) expect(existsSync(path), path).toBe(true);
    const uploaded = await dryThenReal(lab, ['upload', '--run', run]);
    expect(uploaded.planned.map(({ method }) => method)).toEqual(['POST', 'PUT', 'POST', 'PUT']);
    await dryThenReal(lab, ['volume', '--run', run]);
    await dryThenReal(lab, ['server', '--run', run, ...TO_LAB]);
    const back = await dryThenReal(lab, ['rollback', run, '--discard', 'web01']);
    expect(back.planned.map(({ service, method }) => `${method} ${service}`)).toEqual([
      'DELETE compute',
      'DELETE network',
      'DELETE block-storage',
      'DELETE block-storage',
      'DELETE image',
      'DELETE image',
      'DELETE local',
    ]);
    expect(lab.cloud.inventory('lab')).toEqual(lab.seed);
  });
});

describe.concurrent('--dry-run of the steps on their own', () => {
  test('convert FILE, upload FILE, volume --image and server --volume print what they then do', async () => {
    const lab = await peers.lab();
    const exported = await lab.run(['export', '--vm', 'web01', '--output', 'out', '-f', 'json']);
    const { disks } = filesResult.parse(JSON.parse(exported.stdout));
    const file = disks[0]?.path ?? '';
    const converted = await dryThenReal(lab, ['convert', file, '--disk-format', 'qcow2', '-o', 'images']);
    const [image] = converted.planned;
    expect(existsSync(image?.path ?? '')).toBe(true);
    // Once it is there, nothing would be done.
    expect(await calls(lab, ['convert', file, '--disk-format', 'qcow2', '-o', 'images'])).toEqual([]);
    const uploaded = await dryThenReal(lab, ['upload', image?.path ?? '', '--name', 'web01-root']);
    const of = (ended: { stdout: string }) => migrationResult.parse(JSON.parse(ended.stdout)).vms[0];
    const volume = await dryThenReal(lab, ['volume', '--image', of(uploaded.ended)?.image_ids[0] ?? '']);
    const id = of(volume.ended)?.volumes[0]?.volume_id ?? '';
    const server = await dryThenReal(lab, [
      ...['server', '--volume', id, '--name', 'web01', '--memory', '512', '--nic', 'ethernet0=lab-net'],
      ...['--security-group', 'web_ssh', '--wait-for', 'active'],
    ]);
    expect(server.planned.map(({ method }) => method)).toEqual(['POST', 'PUT', 'POST']);
  });

  test.each([
    ['convert', '/nosuch', /disk\.missing/],
    ['upload', '/nosuch', /disk\.missing/],
    ['upload', 'notes.txt', /convert\.unknown_format/],
    ['convert', 'notes.txt', /convert\.unknown_format/],
    ['volume', '--image', /./],
    ['server', '--volume', /./],
  ])('%s %s fails as it does without', async (command, what, words) => {
    const lab = await peers.lab();
    await writeFile(join(lab.dir, 'notes.txt'), 'no image');
    const none = '00000000-0000-4000-8000-000000000000';
    const args = what.startsWith('--') ? [command, what, none] : [command, what];
    const planned = await dry(lab, args);
    const real = await lab.run(args);
    expect(planned.code).not.toBe(0);
    expect([planned.code, planned.stdout]).toEqual([real.code, '']);
    expect(planned.stderr).toMatch(words);
    expect(lab.cloud.changingRequests()).toEqual([]);
  });
});

describe.concurrent('--dry-run shows no secret', () => {
  test.each<[string, LabOptions]>([
    ['a password', {}],
    ['an application credential', { credentials: 'lab-appcred' }],
  ])('of a login by %s, however much is said', async (_, options) => {
    const lab = await peers.lab(options);
    const secrets = Object.entries(lab.env).flatMap(([name, value]) =>
      /PASSWORD|SECRET/.test(name) && value.length > 6 ? [value] : [],
    );
    expect(secrets).toContain(lab.host.password);
    for (const format of ['json', 'yaml', 'table', 'csv']) {
      const { code, stdout, stderr } = await dry(lab, ['migrate', '--vm', 'web01', ...TO_LAB, '-v', '-f', format]);
      expect(code, stderr).toBe(0);
      for (const secret of [...secrets, ...lab.cloud.state.tokens.map(({ value }) => value)]) {
        expect(`${stdout}${stderr}`).not.toContain(secret);
      }
    }
  });

  test('of what a plan puts into a body', async () => {
    const lab = await peers.lab();
    const path = await planOf(lab, '--vm', 'web01');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/( +)properties:\n/, '$1properties:\n$1  admin_password: hunter2-hunter2\n'));
    for (const format of ['json', 'yaml', 'table']) {
      const { code, stdout, stderr } = await dry(lab, ['migrate', 'plan.yaml', '-f', format]);
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('admin_password');
      expect(stdout).toContain('***');
      expect(stdout).not.toContain('hunter2');
    }
  });
});
