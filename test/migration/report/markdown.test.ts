import fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildReport, renderReport } from '../../../src/migration/report/index.js';
import { text } from '../../../src/migration/report/markdown.js';
import { blocker, info, inventory, runOf, vm } from './samples.js';

const base = {
  now: Date.parse('2026-11-25T06:30:00.000Z'),
  program: '0.1.0',
  source: { kind: 'file', name: 'esx1.json', saved_at: '2026-11-20T06:00:00.000Z' },
  runs: [],
} as const;

it('is a page of a wiki', async () => {
  const db01 = vm({ id: '2', name: 'db|01', power_state: 'on', findings: [blocker], disks: [], nics: [] });
  const report = buildReport({ ...base, inventory: inventory([vm({ findings: [info] }), db01]), rate: 80 * 1024 ** 2 });
  expect(await renderReport('md', report)).toBe(`# Migration report: esx1.example.com

Host: VMware ESXi 8.0.3. Made on 2026-11-25 06:30 UTC by stackferry 0.1.0 from esx1.json, an inventory saved on 2026-11-20 06:00 UTC, 5 days ago.

## Totals

|  |  |
| --- | ---: |
| VMs | 2 |
| vCPUs | 4 |
| Memory | 8 GiB |
| Disks | 1 |
| Provisioned | 40 GiB |
| Held by the datastores | 3 GiB |
| To move | 3 GiB |

## Readiness

|  | VMs | To move | Copying |
| --- | ---: | ---: | ---: |
| ready | 1 | 3 GiB | 39 s |
| with remedies | 0 | 0 B | 0 s |
| blocked | 1 | 0 B | 0 s |

All of it: 39 s at 80 MiB/s. The rate is an assumption: 80 MiB/s was given. It is the time to read what the disks hold from the host; what is made of it comes on top (stackferry estimate reckons with all of it).

Of the blocked, 1 only have to be shut down.

## Findings

| Severity | Code | VMs | For example |
| --- | --- | ---: | --- |
| blocker | vm.powered_on | 1 | The VM is running. |
| info | disk.odd_size | 1 | It is no whole number of GiB. |

## VMs

| Name | Id | Power | vCPUs | Memory | Provisioned | To move | Readiness | Next |
| --- | ---: | --- | ---: | ---: | ---: | ---: | --- | --- |
| web01 | 1 | off | 2 | 4 GiB | 40 GiB | 3 GiB | ready |  |
| db\\|01 | 2 | on | 2 | 4 GiB | 0 B | 0 B | blocked | shut it down first (vm.powered_on) |

### web01 (id 1)

| Severity | Code | On | Found | Remedy |
| --- | --- | --- | --- | --- |
| info | disk.odd_size | scsi0:0 | It is no whole number of GiB. | Nothing has to be done. |

| Disk | Path | Size | Held | Kind | Mode |
| --- | --- | ---: | ---: | --- | --- |
| scsi0:0 | \\[datastore1\\] web01/web01.vmdk | 40 GiB | 3 GiB | flat | persistent |

| NIC | Model | MAC | Network | Addresses |
| --- | --- | --- | --- | --- |
| ethernet0 | vmxnet3 | 00:50:56:00:00:01 | VM Network | 192.0.2.10 |

### db\\|01 (id 2)

| Severity | Code | On | Found | Remedy |
| --- | --- | --- | --- | --- |
| blocker | vm.powered_on | vm | The VM is running. | Shut the guest down (on the host: vim-cmd vmsvc/power.shutdown 2), or let stackferry do it with --power-off. |
`);
});

it('begins with a warning where it shows what was long ago, and says where nobody knows', async () => {
  const made = (saved_at: string | null) =>
    renderReport('md', buildReport({ ...base, source: { ...base.source, saved_at }, inventory: inventory([vm()]) }));
  expect(await made('2026-11-17T06:29:00.000Z')).toContain(
    'an inventory saved on 2026-11-17 06:29 UTC, 8 days ago.\n\n**Warning**: The saved inventory is 8 days old: VMs may have changed since, or be gone.\n\n## Totals',
  );
  expect(await made('2026-11-17T06:31:00.000Z')).not.toContain('Warning');
  const unknown = await made(null);
  expect(unknown).toContain('from esx1.json, an inventory saved on an unknown date.');
  expect(unknown).not.toContain('Warning');
});

it('tells a run, its error and what was proved', async () => {
  const report = buildReport({ ...base, inventory: null, runs: [runOf(vm(), 'failed')] });
  const page = await renderReport('md', report);
  for (const line of [
    '## Run r7k2m9qa: web01, failed',
    'Began 2026-11-20 20:00 UTC, 10 min 06 s of work, to scs / acme / eu-1.',
    '**Error** volume.failed: Cinder could not make volume web01-scsi0:0: no weighed backends available.',
    'What to do: Choose another --volume-type, or ask the operator for room.',
    '| Copy from the host · scsi0:0 | done | 2026-11-20 20:00 UTC | 7 min 00 s | 40 GiB | 97.5 MiB/s |',
    '| Make the volume · scsi0:0 | failed | 2026-11-20 22:09 UTC | 13 s | - | - |',
    '| server | web01 | - | SCS-2V-4 |',
    `| proved | scsi0:0 | Glance holds what was sent | sha512:${'cd'.repeat(64)} |`,
  ]) {
    expect(page.split('\n')).toContain(line);
  }
});

it.each([
  ['a|b', 'a\\|b'],
  ['`rm -rf`', '\\`rm -rf\\`'],
  ['a\r\nb\nc', 'a b c'],
  ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert(1)&gt;'],
  ['&lt;', '&amp;lt;'],
  ['[x](https://example.com/)', '\\[x\\](https\\://example.com/)'],
  ['www.example.com', 'www\\.example.com'],
  ['vm.powered_on', 'vm.powered_on'],
  ['_emphasis_ **strong** ~~gone~~', '\\_emphasis\\_ \\*\\*strong\\*\\* \\~\\~gone\\~\\~'],
  ['back\\slash', 'back\\\\slash'],
  ['a\u202egnp\u0007', 'a\\\\u202egnp\\\\u0007'],
  ['me@example.com', 'me\\@example.com'],
])('shows %j as it is', (given, expected) => {
  expect(text(given)).toBe(expected);
});

it('never lets a name end its cell, its line or begin a tag', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 0xffff })).map((codes) => String.fromCharCode(...codes)),
      (name) => {
        const shown = text(name);
        expect(shown).not.toMatch(/[\n\r<>]/);
        expect(shown.replaceAll(/\\[^]/g, '')).not.toMatch(/[|`*[\]~]/);
      },
    ),
  );
});
