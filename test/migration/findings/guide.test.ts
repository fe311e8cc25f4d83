import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findingsGuide } from '../../../scripts/lib/findings-guide.js';
import { otherCodes } from '../../../scripts/lib/other-codes.js';
import { findingRules } from '../../../src/migration/findings/index.js';
import { preflightRules } from '../../../src/migration/preflight/index.js';

const repo = join(import.meta.dirname, '../../..');

/** The contract's list, word by word. */
const CONTRACT = `vm.powered_on vm.suspended vm.snapshots vm.encrypted vm.vtpm vm.secure_boot vm.efi vm.template
vm.fault_tolerance vm.duplicate_name vm.no_disk vm.no_nic vm.tools_missing vm.guest_unsupported vm.windows_drivers
vm.old_hardware vm.cpu_hotplug vm.latency_sensitivity vm.consolidation_needed vm.question_pending
vm.changed_during_copy disk.rdm_physical disk.rdm_virtual disk.independent disk.nonpersistent disk.shared disk.missing
disk.chain_broken disk.locked disk.too_large disk.odd_size disk.other_datastore disk.nvme disk.enable_uuid
nic.passthrough nic.unmapped nic.trunk nic.promiscuous nic.legacy_model nic.disconnected nic.static_mac
device.pci_passthrough device.usb device.serial_parallel device.cdrom_attached device.vgpu cloud.quota cloud.no_flavor
cloud.no_network cloud.ip_taken cloud.mac_taken cloud.volume_type cloud.zone_mismatch cloud.default_security_group
cloud.image_too_large host.no_ssh host.ssh_timeout host.free_license host.space host.legacy_algorithms
converter.no_qemu_img converter.space`.split(/\s+/);

const ruled = findingRules.flatMap(({ codes }) => codes);

describe('guides/findings.md', () => {
  it('is what npm run guides writes', async () => {
    expect(await readFile(join(repo, 'guides/findings.md'), 'utf8')).toBe(findingsGuide());
  });

  it('explains every code of the contract, of the rules and of check once', () => {
    const told = [...findingsGuide().matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)].map(([, code]) => code);
    expect(new Set(told).size).toBe(told.length);
    const known = new Set([...CONTRACT, ...ruled, ...preflightRules.flatMap(({ codes }) => codes)]);
    expect([...known].filter((code) => !told.includes(code))).toEqual([]);
    expect(CONTRACT).toHaveLength(62);
  });
});

describe('every code', () => {
  it('of a rule is explained by that rule, and no other is', () => {
    for (const { codes, explains } of findingRules) expect(Object.keys(explains)).toEqual([...codes]);
  });

  it.each(CONTRACT)('of the contract has a rule or a place that tells it: %s', (code) => {
    expect(ruled.includes(code) || code in otherCodes).toBe(true);
  });

  it.each(Object.entries(otherCodes))('of the others is told where it says: %s', async (code, { where }) => {
    expect(ruled).not.toContain(code);
    expect(await readFile(join(repo, where), 'utf8')).toContain(`'${code}'`);
  });

  it('has a title, a meaning and a remedy that are text', () => {
    const all = [...findingRules.flatMap(({ explains }) => Object.values(explains)), ...Object.values(otherCodes)];
    for (const { title, severity, explains, remedy } of all) {
      expect(title).toMatch(/^\S.{3,60}[^.\s]$/);
      expect(severity).toMatch(/^(?:blocker|warning|info)\b/);
      expect(explains).toMatch(/^[A-Z`].{10,}\.$/);
      expect(remedy.length).toBeGreaterThan(10);
    }
  });
});
