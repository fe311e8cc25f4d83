import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MIB, vm } from '../lab/esxi/index.js';
import { addressIn, smallVm, usePeers, type Lab } from '../support/embedded.js';
import type { Ended } from '../support/program.js';

/** `check` with the whole program: each code, all VMs at once, and not one changing request. */

const TIB = 1024 * 1024 * MIB;
const peers = usePeers({
  shellTimeoutSeconds: 3600,
  datastores: [
    { name: 'datastore1', type: 'VMFS-6' },
    { name: 'full', type: 'VMFS-6', freeBytes: 12 * MIB },
  ],
  vms: [
    smallVm('web01'),
    smallVm('web02', { nics: [{ network: 'VM Network', mac: '00:50:56:00:00:77' }] }),
    smallVm('web03', { nics: [{ network: 'VM Network', mac: '00:50:56:00:00:77' }] }),
    smallVm('running', { power: 'on', tools: 'running' }),
    smallVm('giant', { cpus: 64, memoryMib: 1_048_576 }),
    smallVm('wide', { disks: [{ sizeBytes: 2 * TIB }] }),
    smallVm('bare', { nics: [] }),
    vm({ name: 'rdm', disks: [{ sizeBytes: 16 * MIB }, { sizeBytes: 64 * MIB, rdm: 'physical' }] }),
    vm({ name: 'snapped', datastore: 'full', snapshots: [{ name: 'one' }] }),
    smallVm('gone', { vmxFault: 'garbage' }),
  ],
});

const finding = z.strictObject({
  code: z.string(),
  severity: z.enum(['blocker', 'warning', 'info']),
  subject: z.string(),
  message: z.string().min(10),
  remedy: z.string().min(10),
  accepted: z.boolean(),
});
const state = z.enum(['ready', 'warnings', 'blocked']);
const resultSchema = z.strictObject({
  state,
  vms: z.array(z.strictObject({ vm: z.string(), id: z.string(), state, findings: z.array(finding) })),
  cloud: z.strictObject({
    name: z.string().nullable(),
    project: z.string().nullable(),
    state,
    findings: z.array(finding),
    quota: z.array(
      z.strictObject({
        quota: z.string(),
        needed: z.number(),
        limit: z.number().nullable(),
        used: z.number().nullable(),
      }),
    ),
  }),
  host: z.strictObject({
    name: z.string(),
    state: z.enum(['ready', 'warnings', 'blocked', 'unknown']),
    inventory_saved_at: z.string().nullable(),
    findings: z.array(finding),
  }),
  converter: z.strictObject({
    node: z.string(),
    qemu_img: z.string().nullable(),
    staging: z.strictObject({ path: z.string(), free_bytes: z.number().nullable(), needed_bytes: z.number() }),
    state,
    findings: z.array(finding),
  }),
  summary: z.strictObject({
    vms: z.number(),
    ready: z.number(),
    warnings: z.number(),
    blocked: z.number(),
    accepted: z.number(),
    text: z.string(),
  }),
  accepted: z.array(
    z.strictObject({ vm: z.string().nullable(), id: z.string().nullable(), code: z.string(), subject: z.string() }),
  ),
});
type Result = z.infer<typeof resultSchema>;

/** Disks of a few MiB: nothing else is found on a small VM. */
const ODD = ['disk.odd_size info scsi0:0', 'disk.odd_size info scsi0:1'];
const OPEN = ['--network', 'VM Network=lab-net', '--security-group', 'web_ssh'];

function parsed(ended: Ended, code: number): Result {
  expect(ended.code, `${ended.stderr}\n${ended.stdout}`).toBe(code);
  return resultSchema.parse(JSON.parse(ended.stdout));
}

/** Runs it, and proves that nothing was changed: not in the cloud, not on the host, not on this disk. */
async function check(lab: Lab, code: number, ...args: string[]): Promise<Result> {
  return unchanged(lab, async () => parsed(await lab.run(['check', ...args, '-f', 'json']), code));
}

async function unchanged<T>(lab: Lab, work: () => Promise<T>): Promise<T> {
  const before = lab.cloud.inventory();
  lab.cloud.clearLog();
  lab.host.resetLog();
  const result = await work();
  expect(lab.cloud.changingRequests()).toEqual([]);
  expect(lab.cloud.inventory()).toEqual(before);
  expect(lab.host.commands.filter(({ command }) => CHANGING.test(command))).toEqual([]);
  expect(existsSync(join(lab.stateDir, 'runs'))).toBe(false);
  return result;
}
const CHANGING =
  /power\.(on|off|shutdown|suspend)|snapshot\.(create|remove)|advanced set|\brm\b|\bmv\b|vmkfstools -[iUEX]/;

/** `cloud.quota blocker cloud`, of one VM or of a side. */
function brief(findings: Result['cloud']['findings']): string[] {
  return findings.map(({ code, severity, subject }) => `${code} ${severity} ${subject}`);
}
function ofVm(result: Result, name: string): string[] {
  return brief(result.vms.find(({ vm: own }) => own === name)?.findings ?? []);
}

describe('check --vm', () => {
  test('a VM that is ready: exit 0, the sums, the host’s notes', async () => {
    const lab = await peers.lab();
    const result = await check(lab, 0, '--vm', 'web01', ...OPEN);
    expect(ofVm(result, 'web01')).toEqual(ODD);
    expect(result.vms[0]?.state).toBe('ready');
    expect(brief(result.host.findings)).toEqual(['host.ssh_timeout warning host', 'host.free_license info host']);
    expect(result.state).toBe('warnings');
    expect(result.cloud.findings).toEqual([]);
    expect(result.cloud.quota).toContainEqual({ quota: 'volumes', needed: 2, limit: 200, used: 0 });
    expect(result.cloud.quota).toContainEqual({
      quota: 'ports',
      needed: 1,
      limit: 500,
      used: expect.any(Number) as number,
    });
    expect(result.converter.staging.needed_bytes).toBe(0); // one pass keeps nothing here
    expect(result.summary.text).toMatch(
      /^1 VM: 1 ready; cloud ready; host with warnings \(host\.ssh_timeout\); converter ready/,
    );
  });

  test('all VMs are looked at, and all is told at once', async () => {
    const lab = await peers.lab();
    const result = await check(lab, 3, '--vm', '*', '--network', 'VM Network=lab-net');
    expect(ofVm(result, 'web01')).toContain('cloud.default_security_group warning vm');
    for (const twin of ['web02', 'web03']) expect(ofVm(result, twin)).toContain('cloud.mac_taken warning ethernet0');
    expect(ofVm(result, 'running')).toContain('vm.powered_on blocker vm');
    expect(ofVm(result, 'giant')).toContain('cloud.no_flavor blocker vm');
    expect(ofVm(result, 'wide')).toContain('cloud.image_too_large warning scsi0:0');
    expect(ofVm(result, 'bare')).toContain('vm.no_nic warning vm');
    expect(ofVm(result, 'rdm')).toContain('disk.rdm_physical blocker scsi0:1');
    expect(ofVm(result, 'gone')).toEqual(['vm.unreadable blocker vm']);
    expect(brief(result.host.findings)).toContain('host.space warning host');
    expect(result.host.findings.find(({ code }) => code === 'host.space')?.message).toContain('snapped');
    // A giant without a flavor counts with its own size.
    expect(result.cloud.quota.find(({ quota }) => quota === 'cores')?.needed).toBeGreaterThan(64);
    expect(brief(result.cloud.findings)).toEqual(['cloud.quota blocker cloud']);
    expect(result.summary).toMatchObject({ vms: 10, blocked: 4 });
    expect(result.state).toBe('blocked');
  });

  test('VMs that cannot be read are blockers like others, and hide nothing', async () => {
    const lab = await peers.lab();
    const result = await check(lab, 3, '--vm', 'bare', '--vm', 'gone', '--vm', 'rdm', ...OPEN);
    expect(ofVm(result, 'bare')).toContain('vm.no_nic warning vm');
    expect(ofVm(result, 'rdm')).toContain('disk.rdm_physical blocker scsi0:1');
    expect(ofVm(result, 'gone')).toEqual(['vm.unreadable blocker vm']);
    expect(result.summary).toMatchObject({ vms: 3, blocked: 2 });
    const alone = await check(lab, 3, '--vm', 'gone', ...OPEN);
    expect(ofVm(alone, 'gone')).toEqual(['vm.unreadable blocker vm']);
    const moved = await lab.run(['migrate', '--vm', 'gone', ...OPEN, '--yes']);
    expect([moved.code, moved.stderr]).toEqual([3, expect.stringContaining('(vm.unreadable)')]);
  });

  test('--power-off: a running VM is no blocker', async () => {
    const lab = await peers.lab();
    const result = await check(lab, 0, '--vm', 'running', '--power-off', ...OPEN);
    expect(ofVm(result, 'running')).toContain('vm.powered_on info vm');
  });

  test('choices that cannot be made are findings, each of them', async () => {
    const lab = await peers.lab();
    const args = ['--flavor', 'huge', '--zone', 'moon', '--key-name', 'nobody', '--volume-type', 'gold'];
    const result = await check(lab, 3, '--vm', 'web01', '--vm', 'bare', ...args);
    expect(ofVm(result, 'web01').filter((line) => line.includes('blocker'))).toEqual([
      'cloud.volume_type blocker scsi0:0',
      'cloud.volume_type blocker scsi0:1',
      'nic.unmapped blocker ethernet0',
      'cloud.no_flavor blocker vm',
      'cloud.zone_mismatch blocker vm',
      'cloud.no_keypair blocker vm',
    ]);
    expect(ofVm(result, 'bare')).toContain('cloud.no_flavor blocker vm');
    const groups = await check(lab, 3, '--vm', 'web01', '--network', '*=nowhere', '--volume-zone', 'moon');
    expect(ofVm(groups, 'web01')).toEqual(
      expect.arrayContaining(['cloud.no_network blocker ethernet0', 'cloud.zone_mismatch blocker scsi0:0']),
    );
  });

  test('addresses and MACs: taken, outside, the gateway, in a pool; of another project’s network', async () => {
    const lab = await peers.lab();
    const port = lab.cloud.state.ports.find(({ device_owner, network_id }) => {
      const network = lab.cloud.state.networks.find(({ name }) => name === 'lab-net');
      return device_owner === 'network:dhcp' && network_id === network?.id;
    });
    const taken = port?.fixed_ips[0]?.ip_address ?? '';
    const nic = async (text: string, code: number) =>
      ofVm(
        await check(lab, code, '--vm', 'web01', '--nic', `ethernet0=${text}`, '--security-group', 'web_ssh'),
        'web01',
      );
    expect(await nic(`lab-net,ip=${taken}`, 3)).toContain('cloud.ip_taken blocker ethernet0');
    expect(await nic(`lab-net,ip=${addressIn(lab, 'lab-net', 1)}`, 3)).toContain('cloud.ip_taken blocker ethernet0');
    expect(await nic(`lab-net,ip=${addressIn(lab, 'lab-net', 255)}`, 3)).toContain(
      'cloud.ip_outside blocker ethernet0',
    );
    expect(await nic('lab-net,ip=203.0.113.9', 3)).toContain('cloud.ip_outside blocker ethernet0');
    expect(await nic(`lab-net,ip=${addressIn(lab, 'lab-net', 150)}`, 0)).toContain('cloud.ip_in_pool info ethernet0');
    expect(await nic(`lab-net,ip=${addressIn(lab, 'lab-net', 50)}`, 0)).toEqual(ODD);
    expect(await nic(`lab-net,mac=${port?.mac_address ?? ''}`, 3)).toContain('cloud.mac_taken blocker ethernet0');
    expect(await nic('lab-provider', 0)).toContain('cloud.port_policy warning ethernet0');
    expect(await nic(`lab-provider,ip=${addressIn(lab, 'lab-provider', 50)}`, 3)).toContain(
      'cloud.port_policy blocker ethernet0',
    );
  });

  test('the project: quota, roles, groups without rules, networks without filters, a reserved volume type', async () => {
    const poor = await peers.lab({ credentials: 'lab-poor' });
    const short = await check(poor, 3, '--vm', 'web01', '--network', '*=lab-poor-net', '--security-group', 'web_ssh');
    expect(brief(short.cloud.findings)).toEqual(['cloud.quota blocker cloud']);
    expect(short.cloud.findings[0]?.message).toContain('volumes: 2 needed, 1 of 1 left');

    const lab = await peers.lab();
    const { state: now } = lab.cloud;
    for (const user of now.users) for (const id of Object.keys(user.roles)) user.roles[id] = ['reader'];
    for (const group of now.securityGroups) if (group.name === 'lab-open') group.rules = [];
    const args = ['--volume-type', 'lab-encrypted', '--create-flavor', '--security-group', 'lab-open'];
    const reader = await check(lab, 3, '--vm', 'web01', '--vm', 'giant', '--network', '*=lab-net', ...args);
    expect(ofVm(reader, 'giant')).toContain('cloud.role blocker vm');
    expect(brief(reader.cloud.findings)).toEqual(['cloud.role blocker cloud', 'cloud.quota blocker cloud']);
    expect(ofVm(reader, 'web01')).toEqual(
      expect.arrayContaining(['cloud.volume_type warning scsi0:0', 'cloud.empty_security_group warning ethernet0']),
    );
    const network = now.networks.find(({ name }) => name === 'lab-net');
    if (network) network.port_security_enabled = false;
    const open = await check(lab, 3, '--vm', 'web01', ...OPEN);
    expect(ofVm(open, 'web01')).toContain('cloud.port_security blocker ethernet0');
    if (network) Object.assign(network, { port_security_enabled: true, external: true });
    const external = await check(lab, 3, '--vm', 'web01', ...OPEN);
    expect(ofVm(external, 'web01')).toContain('cloud.external_network warning ethernet0');
  });

  test('a cloud that refuses the login is a finding; the sources are still told', async () => {
    const lab = await peers.lab();
    const ended = await unchanged(lab, () =>
      lab.run(['check', '--vm', 'rdm', ...OPEN, '-f', 'json'], { OS_PASSWORD: 'wrong' }),
    );
    const result = parsed(ended, 3);
    expect(brief(result.cloud.findings)).toEqual(['cloud.unauthorized blocker cloud']);
    expect(ofVm(result, 'rdm')).toContain('disk.rdm_physical blocker scsi0:1');
  });

  test('this machine: no qemu-img, no room', async () => {
    const lab = await peers.lab();
    const without = parsed(await lab.run(['check', '--vm', 'web01', ...OPEN, '-f', 'json'], { PATH: lab.dir }), 3);
    expect(brief(without.converter.findings)).toContain('converter.no_qemu_img blocker converter');
    await writeFile(join(lab.dir, 'file'), '');
    const unwritable = parsed(
      await lab.run(['check', '--vm', 'web01', ...OPEN, '-f', 'json', '--output', join(lab.dir, 'file', 'staging')]),
      3,
    );
    expect(unwritable.converter.state).toBe('blocked');
    expect(unwritable.converter.findings[0]?.code).toBe('file.unwritable');
  });

  test('wrong usage: neither plan nor VM, an unknown VM, an unknown code', async () => {
    const lab = await peers.lab();
    expect((await lab.run(['check'])).code).toBe(2);
    const unknown = await lab.run(['check', '--vm', 'nobody', ...OPEN]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('(vm.not_found)')]);
    const code = await lab.run(['check', '--vm', 'web01', ...OPEN, '--accept', 'cloud.qouta']);
    expect(code.code).toBe(2);
    expect(code.stderr).toContain('cloud.quota');
  });

  test('a host that offers old algorithms only, and one without SSH', async () => {
    const lab = await peers.lab();
    const ended = await lab.run(['check', '--vm', 'web01', ...OPEN, '-f', 'json'], { STACKFERRY_ESXI_SSH_PORT: '1' });
    const result = parsed(ended, 3);
    expect(brief(result.host.findings)).toEqual(['host.no_ssh blocker host']);
    expect(result.vms).toEqual([]);

    const old = await peers.lab({ host: { algorithms: 'old' } });
    const without = await check(old, 3, '--vm', 'web01', ...OPEN);
    expect(brief(without.host.findings)).toEqual(['host.legacy_algorithms blocker host']);
    const allowed = await check(old, 0, '--vm', 'web01', ...OPEN, '--esxi-legacy-ssh');
    expect(brief(allowed.host.findings)).toContain('host.legacy_algorithms warning host');
  });
});

describe('check --accept', () => {
  test('a warning and an overridable blocker are taken; others are refused', async () => {
    const lab = await peers.lab();
    for (const project of lab.cloud.state.projects) project.quotas.volumes = 1;
    const args = ['--vm', 'web01', '--network', 'VM Network=lab-net'];
    const result = await check(
      lab,
      0,
      ...args,
      ...['--accept', 'cloud.quota', '--accept', 'cloud.default_security_group:vm', '--accept', 'host.ssh_timeout'],
    );
    expect(result.state).toBe('ready');
    expect(result.accepted).toEqual([
      { vm: 'web01', id: '1', code: 'cloud.default_security_group', subject: 'vm' },
      { vm: null, id: null, code: 'cloud.quota', subject: 'cloud' },
      { vm: null, id: null, code: 'host.ssh_timeout', subject: 'host' },
    ]);
    const refused = await lab.run(['check', '--vm', 'rdm', ...OPEN, '--accept', 'disk.rdm_physical']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('(accept.refused)');
    expect(refused.stderr).toContain('scsi0:1');
    const other = await check(
      lab,
      3,
      '--vm',
      'rdm',
      ...OPEN,
      '--accept',
      'cloud.quota',
      '--accept',
      'disk.rdm_physical:scsi0:0',
    );
    expect(other.vms[0]?.state).toBe('blocked');
  });

  test('the table shows what stands with remedies, and what was accepted', async () => {
    const lab = await peers.lab();
    const args = ['check', '--vm', 'web01', '--vm', 'rdm', '--network', 'VM Network=lab-net'];
    const ended = await lab.run([...args, '--accept', 'cloud.default_security_group']);
    expect(ended.code).toBe(3);
    expect(ended.stdout).toMatch(/^VM +SEVERITY +CODE +SUBJECT +MESSAGE/);
    expect(ended.stdout).toMatch(/^web01 +accepted +cloud\.default_security_group +vm /m);
    expect(ended.stdout).toMatch(/^rdm +blocker +disk\.rdm_physical +scsi0:1 /m);
    expect(ended.stderr).toMatch(/^scsi0:1 of rdm \(disk\.rdm_physical\): /m);
    expect(ended.stderr).toMatch(/^2 VMs: 1 ready, 1 blocked; cloud ready; .* accepted\.$/m);
    const csv = await lab.run([...args, '-f', 'csv', '-q']);
    expect(csv.stdout).toMatch(/^vm,id,severity,accepted,code,subject,message,remedy\n/);
    expect(csv.stderr).toBe('');
  });
});

describe('check PLAN', () => {
  async function planOf(lab: Lab, ...args: string[]): Promise<string> {
    const made = await lab.run(['plan', ...args, '-o', 'plan.yaml']);
    expect(made.code, made.stderr).toBe(0);
    return join(lab.dir, 'plan.yaml');
  }

  test('takes the plan’s choices and its accept list; --accept is written into it, comments kept', async () => {
    const lab = await peers.lab();
    const path = await planOf(lab, '--vm', 'web01', '--vm', 'web02', '--network', 'VM Network=lab-net');
    const before = await readFile(path, 'utf8');
    const first = await check(lab, 0, 'plan.yaml');
    expect(first.vms.map(({ state: one }) => one)).toEqual(['warnings', 'warnings']);
    expect(await readFile(path, 'utf8')).toBe(before);

    const accept = ['--accept', 'cloud.default_security_group', '--accept', 'host.ssh_timeout'];
    const taken = await unchanged(lab, () => lab.run(['check', 'plan.yaml', ...accept]));
    expect(taken.code, taken.stderr).toBe(0);
    expect(taken.stderr).toContain('Wrote into plan.yaml: accept cloud.default_security_group, host.ssh_timeout.');
    const after = await readFile(path, 'utf8');
    expect(after).toContain('accept:\n  - cloud.default_security_group\n  - host.ssh_timeout\n');
    expect(after.replace(/accept:\n(  - .*\n)+/, 'accept: []\n')).toBe(before);

    const second = await check(lab, 0, 'plan.yaml', '--vm', 'web02');
    expect(second.state).toBe('ready');
    expect(second.vms.map(({ vm: name }) => name)).toEqual(['web02']);
    const again = await lab.run(['check', 'plan.yaml', ...accept]);
    expect(again.stderr).toContain('plan.yaml accepts that already');
  });

  test('a plan that no longer fits: the host’s and the cloud’s changes, each of them', async () => {
    const lab = await peers.lab();
    const path = await planOf(lab, '--vm', 'web01', '--vm', 'web02', ...OPEN);
    const text = await readFile(path, 'utf8');
    const edited = text
      .replace(/cpus: 1\n/, 'cpus: 4\n')
      .replace(/flavor: .*\n/, 'flavor: huge\n')
      .replace(/zone: null\n/, 'zone: moon\n')
      .replace('network: lab-net', 'network: gone');
    await writeFile(path, edited);
    const result = await check(lab, 3, 'plan.yaml');
    expect(ofVm(result, 'web01').filter((line) => line.includes('blocker'))).toEqual(
      expect.arrayContaining([
        'plan.outdated blocker vm',
        'cloud.no_flavor blocker vm',
        'cloud.zone_mismatch blocker scsi0:0',
        'cloud.no_network blocker ethernet0',
      ]),
    );
    expect(ofVm(result, 'web02').filter((line) => line.includes('blocker'))).toEqual([]);
    const refused = await lab.run(['check', 'plan.yaml', '--accept', 'cloud.no_flavor']);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('(accept.refused)')]);
    expect(await readFile(path, 'utf8')).toBe(edited);

    await writeFile(
      path,
      text.replaceAll(/id: "?\d+"?\n/g, (line) => (line.includes('"1"') ? 'id: "99"\n' : line)),
    );
    const gone = await check(lab, 3, 'plan.yaml');
    expect(ofVm(gone, 'web01')).toEqual(['plan.outdated blocker vm']);
  });

  test('a plan that accepts what no finding is called is refused by all that read it; what fits nothing is told', async () => {
    const lab = await peers.lab();
    const path = await planOf(lab, '--vm', 'web01', ...OPEN);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('accept: []', 'accept: [bogus.code]'));
    for (const args of [
      ['check', 'plan.yaml'],
      ['migrate', 'plan.yaml', '--dry-run'],
      ['migrate', 'plan.yaml', '--yes'],
    ]) {
      const ended = await lab.run(args);
      expect([ended.code, ended.stderr]).toEqual([
        2,
        expect.stringContaining('accept in the plan: bogus.code: no finding has the code bogus.code.') as string,
      ]);
    }
    await writeFile(path, text.replace('accept: []', 'accept: [disk.shared]'));
    const idle = await lab.run(['check', 'plan.yaml']);
    expect([idle.code, idle.stderr]).toEqual([
      0,
      expect.stringContaining('accept in the plan: disk.shared fits nothing that was found.') as string,
    ]);
  });

  test('the mapping options do not go together with it', async () => {
    const lab = await peers.lab();
    await planOf(lab, '--vm', 'web01', ...OPEN);
    const ended = await lab.run(['check', 'plan.yaml', '--flavor', 'SCS-1V-2']);
    expect(ended.code).toBe(2);
  });
});
