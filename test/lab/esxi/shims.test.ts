import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  buildTree,
  manyVms,
  ODD_DATASTORE,
  ODD_NAME,
  sampleHost,
  startHost,
  type BuiltTree,
  type EmbeddedHost,
} from './index.js';
import { connect, exec, said } from './test-client.js';
import { allVmsText, type AllVmsRow } from './tree/all-vms.js';
import { field, render, type Answer } from './tree/esxcli-format.js';

const RECORDINGS = path.resolve('../shared/facts/recordings');
/** What a host printed, without the line that names the source; undefined where the recordings are not at hand. */
function recording(name: string): string | undefined {
  const file = path.join(RECORDINGS, name);
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .replaceAll('\r', '')
        .replace(/^# source.*\n/, '')
    : undefined;
}

let dir: string;
let tree: BuiltTree;
let host: EmbeddedHost;
let client: Client;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stackferry-shims-'));
  tree = await buildTree(path.join(dir, 'tree'), sampleHost());
  host = await startHost({ tree });
  client = await connect(host);
});
afterAll(async () => {
  client.destroy();
  await host.close();
  await rm(dir, { recursive: true, force: true });
});
const id = (name: string) => tree.vm(name).id;

describe('vim-cmd', () => {
  it('getallvms shows every VM but the invalid one, ids as text', async () => {
    const { stdout, stderr, code } = await exec(client, 'vim-cmd vmsvc/getallvms');
    expect(code).toBe(0);
    expect(stderr).toBe(`Skipping invalid VM '${id('invalid')}'\n`);
    const rows = stdout
      .toString()
      .split('\n')
      .filter((line) => /^\d+ +\S.*\[.*\] .*\.vmx +\S+ +vmx-\d\d/.test(line));
    const ids = rows.map((line) => /^\d+/.exec(line)?.[0] ?? '').filter((one) => one !== '99'); // 99: a line of an annotation
    expect(ids).toEqual(
      tree.vms
        .filter((one) => one.name !== 'invalid')
        .map((one) => String(one.id))
        .sort(),
    );
    expect(stdout.toString()).toContain(`   ${ODD_NAME}   [datastore1] web 01 (größe)/it's "x" $(touch pwned).vmx`);
  });

  it.each(['vim-cmd-vmsvc-getallvms.5.5.2.txt', 'vim-cmd-vmsvc-getallvms.5.x.1.txt'])(
    'lays the table out as in %s',
    (name) => {
      const recorded = recording(name);
      if (recorded === undefined) return;
      const rows = recorded
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line): AllVmsRow => {
          const [vmid = '', title = '', file = '', guestId = '', version = ''] = line.split(/ {3,}/);
          return { id: vmid, name: title, file, guestId, version: version.trim(), annotation: '' };
        });
      const bare = (text: string) => text.split('\n').map((line) => line.trimEnd());
      expect(bare(allVmsText(rows))).toEqual(bare(recorded));
    },
  );

  it('prints objects in the recorded form, fields in the recorded order', async () => {
    for (const [command, name] of [
      [`vmsvc/get.summary ${id('db01')}`, 'vim-cmd-vmsvc-get.summary.6.x.1.txt'],
      [`vmsvc/device.getdevices ${id('db01')}`, 'vim-cmd-vmsvc-device.getdevices.6.x.1.txt'],
      [`vmsvc/get.guest ${id('no-tools')}`, 'vim-cmd-vmsvc-get.guest.8.0.1.txt'],
    ] as const) {
      const ours = await said(client, `vim-cmd ${command}`);
      const line = /^ *(?:\S+ = )?(?:\([\w.]+\) (?:\{|\[|null)|".*"|'.*'|<unset>|true|false|-?\d+|\}|\]),? ?$/;
      const odd = (text: string) =>
        text
          .trimEnd()
          .split('\n')
          .slice(2)
          .filter((one) => !line.test(one));
      expect(odd(ours), command).toEqual([]);
      const recorded = recording(name);
      if (recorded === undefined) continue;
      expect(odd(recorded), name).toEqual([]);
      expect(ours.split('\n').slice(0, 3)).toEqual(recorded.split('\n').slice(0, 3));
      // Ours has fewer fields; those of the top level and one below come in the recording's order.
      const keys = (text: string) => [...text.matchAll(/^ {3}(?: {3})?(\w+) = /gm)].map((match) => match[1]);
      const theirs = keys(recorded);
      let at = -1;
      for (const key of keys(ours)) {
        const next = theirs.indexOf(key, at + 1);
        if (next >= 0) at = next;
        else expect(theirs, `${command}: ${key ?? ''} stands before its place`).not.toContain(key);
      }
    }
  });

  it('tells and changes the power state, and refuses as a host does', async () => {
    const state = (name: string) => said(client, `vim-cmd vmsvc/power.getstate ${id(name)}`);
    const recorded = recording('vim-cmd-vmsvc-power.getstate.6.x.1.txt');
    if (recorded !== undefined) expect(await state('db01')).toBe(recorded);
    expect(await state('web01')).toBe('Retrieved runtime info\nPowered off\n');
    expect(await state('asleep')).toBe('Retrieved runtime info\nSuspended\n');

    const absent = await exec(client, 'vim-cmd vmsvc/get.summary 5x');
    expect(absent.code).toBe(1);
    const fault = recording('vim-cmd-fault-notfound.6.x.1.txt');
    if (fault !== undefined) expect(absent.stdout.toString()).toBe(fault.replace('"5"', '"5x"'));

    const noTools = await exec(client, `vim-cmd vmsvc/power.shutdown ${id('no-tools')}`);
    expect([noTools.code, noTools.stdout.toString()]).toEqual([
      1,
      expect.stringContaining('(vim.fault.ToolsUnavailable)'),
    ]);
    expect(await said(client, `vim-cmd vmsvc/power.off ${id('web01')}`)).toBe('Powering off VM:\nPower off failed\n');
    expect((await exec(client, `vim-cmd vmsvc/power.shutdown ${id('stubborn')}`)).code).toBe(0);
    expect(await said(client, `vim-cmd vmsvc/power.off ${id('stubborn')}`)).toBe('Powering off VM:\n');
    expect(await tree.power('stubborn')).toBe('off');
    expect(await state('stubborn')).toContain('Powered off');
  });

  it('prints snapshot trees, the licence and the hardware uuid', async () => {
    const snapshots = await said(client, `vim-cmd vmsvc/snapshot.get ${id('snap-se')}`);
    expect(snapshots).toMatch(
      /^Get Snapshot:\n\|-ROOT\n--Snapshot Name {8}: before patch\n--Snapshot Id {8}: 1\n--Snapshot Desciption {2}: tools, codecs, reader\nsecond line/,
    );
    expect(snapshots).toContain('--|-CHILD\n----Snapshot Name        : after [patch]\n');
    expect(await said(client, `vim-cmd vmsvc/snapshot.get ${id('web01')}`)).toBe('Get Snapshot:\n');
    expect(await said(client, 'vim-cmd vimsvc/license --show')).toContain('\n   vmodl key: esxBasic\n');
    expect(await said(client, 'vim-cmd hostsvc/hostsummary')).toContain(
      'uuid = "4c4c4544-004e-5610-804c-b7c04f534258",\n',
    );
    expect((await exec(client, 'vim-cmd vmsvc/nothing')).code).toBe(1);
  });
});

describe('esxcli', () => {
  it.each([
    [
      'esxcli-storage-filesystem-list.8.0.1.txt',
      ['Mount Point', 'Volume Name', 'UUID', 'Mounted', 'Type', 'Size', 'Free'],
      [3, 5, 6],
    ],
    [
      'esxcli-storage-filesystem-list.6.5.1.txt',
      ['Mount Point', 'Volume Name', 'UUID', 'Mounted', 'Type', 'Size', 'Free'],
      [3, 5, 6],
    ],
    [
      'esxcli-network-vswitch-standard-portgroup-list.5.x.1.txt',
      ['Name', 'Virtual Switch', 'Active Clients', 'VLAN ID'],
      [2, 3],
    ],
  ] as const)('lays tables out as in %s', (name, labels, numbers) => {
    const recorded = recording(name);
    if (recorded === undefined) return;
    const [, dashes = '', ...lines] = recorded.trimEnd().split('\n');
    let at = 0;
    const columns = dashes.split('  ').map((dash) => {
      const column = [at, at + dash.length] as const;
      at += dash.length + 2;
      return column;
    });
    const rows = lines.map((line) =>
      columns.map(([from, to], index) => {
        const text = line.slice(from, to).trim();
        return field(
          labels[index] ?? '',
          (numbers as readonly number[]).includes(index) ? (text === 'true' ? true : Number(text)) : text,
        );
      }),
    );
    const answer: Answer = { command: 'x', typeName: 'X', screen: 'table', rows };
    expect(render(answer, 'text')).toBe(recorded);
  });

  it('prints records as recorded', async () => {
    const version = recording('esxcli-system-version-get.8.0.1.txt');
    if (version !== undefined) expect(await said(client, 'esxcli system version get')).toBe(version);
    const labels = (text: string) => [...text.matchAll(/^ {3}([^:]+):/gm)].map((match) => match[1]);
    for (const [command, name] of [
      ['network vswitch standard list', 'esxcli-network-vswitch-standard-list.7.x.1.txt'],
      ['vm process list', 'esxcli-vm-process-list.6.5.1.txt'],
    ] as const) {
      const recorded = recording(name);
      if (recorded === undefined) continue;
      const [first = ''] = (await said(client, `esxcli ${command}`)).split('\n\n');
      expect(labels(first)).toEqual(labels(recorded));
    }
  });

  it('has csv with its trailing commas, xml, keyvalue and json', async () => {
    const csv = await said(client, 'esxcli --formatter=csv network vswitch standard list');
    expect(csv.split('\n').slice(0, 2)).toEqual([
      'BeaconEnabled,BeaconInterval,BeaconRequiredBy,BeaconThreshold,CDPStatus,Class,ConfiguredPorts,MTU,Name,NumPorts,Portgroups,Uplinks,UsedPorts,',
      'false,1,,3,listen,cswitch,128,1500,vSwitch0,6400,"VM Network,Management Network,prod (20),","vmnic0,",4,',
    ]);
    expect(await said(client, 'esxcli --formatter xml system version get')).toContain(
      '<field name="Version">\n            <string>8.0.3</string>',
    );
    expect(await said(client, 'esxcli --formatter=keyvalue system version get')).toContain(
      'VersionGet.Build.string=Releasebuild-24677879\n',
    );
    const running = JSON.parse(await said(client, 'esxcli --formatter=json vm process list')) as {
      DisplayName: string;
    }[];
    expect(running.map((one) => one.DisplayName)).toContain('db01');
  });

  it('finds keyed objects by their whole name, and says what it does not know', async () => {
    expect(await said(client, "esxcli network vswitch standard portgroup policy security get -p 'mirror'")).toContain(
      'Allow Promiscuous: true\n',
    );
    expect((await exec(client, 'esxcli network vswitch standard portgroup policy security get -p mirro')).code).toBe(1);
    expect(await said(client, 'esxcli system settings advanced list -o /UserVars/ESXiShellTimeOut')).toContain(
      '   Int Value: 0\n',
    );
    const unknown = await exec(client, 'esxcli ../../etc');
    expect([unknown.code, unknown.stdout.toString()]).toEqual([1, 'Error: Unknown command or namespace ../../etc\n']);
  });
});

describe('locks and maps', () => {
  it('a running VM’s extents cannot be read; its descriptor can; after a shutdown all can', async () => {
    const folder = '/vmfs/volumes/datastore1/db01';
    const busy = (program: string) => `${program}: can't open '${folder}/db01-flat.vmdk': Device or resource busy\n`;
    for (const [program, command] of [
      ['dd', `dd if=${folder}/db01-flat.vmdk bs=1048576 count=1`],
      ['cat', `cat ${folder}/db01-flat.vmdk`],
      ['sha1sum', `sha1sum ${folder}/db01-flat.vmdk`],
    ] as const) {
      const { code, stdout, stderr } = await exec(client, command);
      expect([code, stdout.length, stderr]).toEqual([1, 0, busy(program)]);
    }
    const both = await exec(client, `cat ${folder}/db01.vmdk ${folder}/db01-flat.vmdk`);
    expect([both.code, both.stdout.toString()]).toEqual([1, expect.stringMatching(/^# Disk DescriptorFile\n/)]);
    expect(await said(client, `vmkfstools -D ${folder}/db01-flat.vmdk`)).toMatch(
      /^Lock \[type 10c00001 offset \d+ v \d+, hb offset \d+\ngen \d+, mode 1, owner \S+/,
    );
    const running = await exec(client, `vmkfstools -t0 ${folder}/db01.vmdk`);
    expect([running.code, running.stderr]).toEqual([255, expect.stringContaining('Failed to lock the file (16392)')]);

    expect((await exec(client, `vim-cmd vmsvc/power.shutdown ${id('db01')}`)).code).toBe(0);
    await sleep(1200);
    expect(await tree.power('db01')).toBe('off');
    expect(await said(client, `dd if=${folder}/db01-flat.vmdk bs=1048576 count=1 2>/dev/null | wc -c`)).toBe(
      '1048576\n',
    );
    expect(await said(client, `vmkfstools -D ${folder}/db01-flat.vmdk`)).toContain(
      'mode 0, owner 00000000-00000000-0000-000000000000',
    );
    const map = await said(client, `vmkfstools -t0 ${folder}/db01.vmdk`);
    expect(map.split('\n')[0]).toMatch(/^\[ +0: +\d+\] --> \[VMFS -- LVID:/);

    await tree.setPower('db01', 'on');
    expect((await exec(client, `cat ${folder}/db01-flat.vmdk`)).code).toBe(1);
  });

  it('the base of a running chain is held read-only', async () => {
    await tree.setPower('snap-se', 'on');
    const lock = await said(client, "vmkfstools -D '/vmfs/volumes/datastore1/snap-se/snap-se-flat.vmdk'");
    expect(lock).toContain('mode 2, owner 00000000');
    expect(lock).toContain('RO Owner[0] HB Offset');
    await tree.setPower('snap-se', 'off');
  });
});

describe('the shell', () => {
  it('is ash with the applets of ESXi, no more', async () => {
    for (const name of ['tr', 'cmp', 'base64', 'realpath', 'id']) {
      expect((await exec(client, `${name} x`)).code, name).toBe(127);
    }
    expect((await exec(client, 'which dd sha256sum stat find sed awk xargs >/dev/null')).code).toBe(0);
    expect(await said(client, 'set -o pipefail; false | cat; echo $?')).toBe('1\n');
  });

  it('reaches a datastore with an odd label through its link', async () => {
    const lines = await said(client, `cat '/vmfs/volumes/${ODD_DATASTORE}/snap-cowd/snap-cowd-000002.vmdk'`);
    expect(lines).toContain('parentFileNameHint="snap-cowd-000001.vmdk"\n');
  });

  it('never runs what a name says', async () => {
    await exec(
      client,
      'for i in $(vim-cmd vmsvc/getallvms 2>/dev/null | sed -n "s/^\\([0-9]*\\) .*/\\1/p"); do vim-cmd vmsvc/get.config $i; done',
    );
    await exec(client, 'esxcli vm process list; find /vmfs/volumes/ -name "*.vmx"');
    await exec(client, "esxcli network vswitch standard portgroup policy security get -p '$(touch pwned)'");
    const files = await readdir(tree.dir, { recursive: true });
    expect(files.filter((file) => path.basename(file) === 'pwned')).toEqual([]);
  });
});

it('holds 200 VMs', async () => {
  const many = await buildTree(path.join(dir, 'many'), manyVms(200));
  const other = await startHost({ tree: many });
  try {
    const session = await connect(other);
    expect((await said(session, 'vim-cmd vmsvc/getallvms')).trimEnd().split('\n')).toHaveLength(201);
    expect(await said(session, 'cat /vmfs/volumes/datastore1/*/*.vmx | grep -c displayName')).toBe('200\n');
    session.destroy();
  } finally {
    await other.close();
  }
});
