import type { InventoryVm, InventoryWithFindings } from '../../../src/migration/read-inventory.js';
import type { RunInput } from '../../../src/migration/report/index.js';
import { foldJournal } from '../../../src/migration/state/fold.js';
import type { JournalLine } from '../../../src/migration/state/journal-line.js';
import { disk, nic, vm as vmRecord } from '../sample-vm.js';

/** Inventories and journals for the tests of reports. */

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

type Finding = InventoryVm['findings'][number];

export const blocker: Finding = {
  code: 'vm.powered_on',
  severity: 'blocker',
  subject: 'vm',
  message: 'The VM is running.',
  remedy:
    'Shut the guest down (on the host: vim-cmd vmsvc/power.shutdown 2), or let stackferry do it with --power-off.',
};
export const warning: Finding = {
  code: 'disk.nvme',
  severity: 'warning',
  subject: 'nvme0:0',
  message: 'It hangs on an NVMe controller, which the server does not have.',
  remedy: 'See in the guest that its fstab names no /dev/nvme0n1.',
};
export const info: Finding = {
  code: 'disk.odd_size',
  severity: 'info',
  subject: 'scsi0:0',
  message: 'It is no whole number of GiB.',
  remedy: 'Nothing has to be done.',
};

export { disk } from '../sample-vm.js';

/** A healthy VM as an inventory shows it: off, one disk of 40 GiB that holds 3, one NIC. */
export function vm({ findings = [], ...more }: Partial<InventoryVm> = {}): InventoryVm {
  const record: Partial<ReturnType<typeof vmRecord>> & Omit<InventoryVm, 'findings'> = vmRecord({
    id: '1',
    uuid: '564d0000-0000-0000-0000-000000000001',
    annotation: 'root password: do-not-print',
    guest_id: 'debian12_64Guest',
    nics: [nic({ mac: '00:50:56:00:00:01', ip_addresses: ['192.0.2.10'] })],
    ...more,
  });
  delete record.facts;
  return { ...record, findings };
}

export function inventory(vms: InventoryVm[], more: Partial<InventoryWithFindings> = {}): InventoryWithFindings {
  return {
    host: {
      name: 'esx1.example.com',
      product: 'VMware ESXi',
      version: '8.0.3',
      build: '24677879',
      uuid: '00000000-0000-0000-0000-0000000000aa',
      license: 'esxBasic',
    },
    datastores: [{ name: 'datastore1', uuid: null, type: 'VMFS', capacity_bytes: 1024 * GIB, free_bytes: 200 * GIB }],
    networks: [{ name: 'VM Network', vlan_id: 0, vswitch: 'vSwitch0' }],
    vms,
    skipped: [],
    ...more,
  };
}

/** What an attacker would call a VM. */
export const hostileNames = [
  '<script>alert(1)</script>',
  '</script><script>alert(2)</script>',
  '<!-- <script>',
  '"><img src=x onerror=alert(3)>',
  '{{data}} ${alert(4)} $& $1',
  'a\u202egnp.exe',
  'line\nbreak | `code` *bold* [link](https://example.com/)',
  '__proto__',
  "'; alert(5); //",
];

const guests = ['debian12_64Guest', 'rhel9_64Guest', 'windows2019srvNext_64Guest', 'ubuntu64Guest'];

/** Many VMs that differ in all that the page sorts and filters by; always the same ones. */
export function manyVms(count: number): InventoryVm[] {
  return Array.from({ length: count }, (_, index) => {
    const id = String(index + 1);
    const on = index % 5 === 1;
    const name = `${['web', 'db', 'app', 'win', 'mail'][index % 5] ?? ''}${String(index + 1).padStart(4, '0')}`;
    const findings = [
      ...(on ? [{ ...blocker, remedy: blocker.remedy.replace('shutdown 2', `shutdown ${id}`) }] : []),
      ...(index % 7 === 3 ? [warning] : []),
      ...(index % 3 === 0 ? [info] : []),
    ];
    return vm({
      id,
      name,
      uuid: `564d0000-0000-0000-0000-${String(index).padStart(12, '0')}`,
      vmx_path: `[datastore1] ${name}/${name}.vmx`,
      guest_id: guests[index % guests.length] ?? null,
      power_state: on ? 'on' : 'off',
      cpus: 1 + (index % 8),
      memory_mib: 1024 * (1 + (index % 16)),
      disks: Array.from({ length: 1 + (index % 2) }, (__, place) =>
        disk({
          label: `scsi0:${place}`,
          path: `[datastore1] ${name}/${name}${place === 0 ? '' : '_1'}.vmdk`,
          capacity_bytes: (10 + (index % 90)) * GIB,
          allocated_bytes: (2 + (index % 9)) * GIB,
        }),
      ),
      nics: [
        nic({
          mac: `00:50:56:00:${hex(index >> 8)}:${hex(index & 255)}`,
          ip_addresses: [`10.0.${index >> 8}.${index & 255}`],
        }),
      ],
      findings,
    });
  });
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}

const START = Date.parse('2026-11-20T20:00:00.000Z');
const HASH = `sha256-4m:${'ab'.repeat(32)}`;
/** The journal of a run of `source`: done, or failed in its volume and then resumed by a second session that failed. */
export function runOf(source: InventoryVm, how: 'done' | 'failed' = 'done', run = 'r7k2m9qa'): RunInput {
  const lines: JournalLine[] = [];
  let seconds = 0;
  const add = (line: { kind: string } & Record<string, unknown>, after = 0) => {
    seconds += after;
    lines.push({ ...line, at: new Date(START + seconds * 1000).toISOString() } as unknown as JournalLine);
  };
  const step = (name: string, took: number, result: unknown) => {
    add({ kind: 'step.started', step: name });
    add({ kind: 'step.done', step: name, seconds: took, result }, took);
  };
  const record: Partial<InventoryVm> = { ...source };
  delete record.findings;
  const { id, name, uuid } = source;
  add({ kind: 'run.opened', version: 1, run, program: '0.1.0', command: 'migrate', vm: { id, name, uuid } });
  const plan = (section: string, value: unknown) => add({ kind: 'plan', section, value });
  plan('source', {
    host: 'esx1.example.com',
    port: 22,
    user: 'root',
    vm: vmRecord(record),
    labels: ['scsi0:0'],
    outputDir: '/srv/disks',
    ownDir: true,
  });
  plan('cloud', {
    name: 'scs',
    auth_url: 'https://keystone.example.com/v3',
    region: 'eu-1',
    project_id: 'p1',
    project_name: 'acme',
  });
  plan('images', [
    { name, label: 'scsi0:0', format: 'qcow2', format_reason: 'smaller', min_disk_gib: 40, properties: {} },
  ]);
  plan('volumes', [{ name: `${name}-scsi0:0`, label: 'scsi0:0', size_gib: 40, type: 'ssd', zone: null, boot: true }]);
  plan('ports', [
    {
      name: `${name}-ethernet0`,
      label: 'ethernet0',
      network_id: 'n1',
      network_name: 'prod',
      reason: '--network VM Network=prod',
      mac: '00:50:56:00:00:01',
      mac_required: false,
      fixed_ips: null,
      security_group_ids: null,
    },
  ]);
  plan('server', {
    name,
    hostname: name,
    flavor_id: 'f1',
    flavor_name: 'SCS-2V-4',
    flavor_reason: 'the smallest with 2 vCPUs and 4 GiB',
    zone: 'nova',
    key_name: null,
    config_drive: false,
    start: true,
    metadata: {},
  });
  plan('boot', { wait_for: { type: 'console' } });
  step('source', 2, {});
  step('export:scsi0:0', 420, {
    label: 'scsi0:0',
    path: '/srv/disks/scsi0-0/web01.vmdk',
    kind: 'flat',
    capacity_bytes: 40 * GIB,
    bytes: 40 * GIB,
    content_hash: HASH,
    sha256: null,
    files: [],
  });
  step('recheck', 1, {});
  step('convert:scsi0:0', 95, {
    label: 'scsi0:0',
    path: '/srv/disks/scsi0-0.qcow2',
    format: 'qcow2',
    capacity_bytes: 40 * GIB,
    bytes: 3100 * MIB,
    content_hash: HASH,
    sha256: null,
  });
  step('image:scsi0:0', 61, {
    label: 'scsi0:0',
    image_id: '11111111-1111-4111-8111-111111111111',
    bytes: 3100 * MIB,
    hash_algorithm: 'sha512',
    hash_value: 'cd'.repeat(64),
  });
  if (how === 'failed') {
    const error = {
      code: 'volume.failed',
      message: `Cinder could not make volume ${name}-scsi0:0: no weighed backends available.`,
      hint: 'Choose another --volume-type, or ask the operator for room.',
    };
    add({ kind: 'step.started', step: 'volume:scsi0:0' });
    add({ kind: 'step.failed', step: 'volume:scsi0:0', ...error }, 14);
    add({ kind: 'run.closed', state: 'failed', error });
    add({ kind: 'session', pid: 1, command: 'migrate' }, 7200);
    add({ kind: 'step.started', step: 'volume:scsi0:0' }, 1);
    add({ kind: 'step.failed', step: 'volume:scsi0:0', ...error }, 13);
    add({ kind: 'run.closed', state: 'failed', error });
  } else {
    step('volume:scsi0:0', 48, {
      label: 'scsi0:0',
      volume_id: '22222222-2222-4222-8222-222222222222',
      size_gib: 40,
    });
    step('port:ethernet0', 1.4, {
      label: 'ethernet0',
      port_id: '33333333-3333-4333-8333-333333333333',
      mac: '00:50:56:00:00:01',
      ip_addresses: ['192.0.2.77'],
    });
    add({ kind: 'warning', code: 'nic.default_security_group', message: 'The port has the default security group.' });
    step('server', 18, { server_id: '44444444-4444-4444-8444-444444444444', name, status: 'ACTIVE' });
    step('boot', 21, { proved: true, by: 'console', seen: `${name} login:` });
    add({ kind: 'run.closed', state: 'done' });
  }
  const state = foldJournal(lines);
  if (!state) throw new Error('the journal has no first line');
  return { state, lines, worker: null };
}
