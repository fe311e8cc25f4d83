import { z } from 'zod';
import { StackferryError } from '../core/index.js';
import {
  datastoreSchema,
  diskSchema,
  hostSchema,
  networkSchema,
  nicSchema,
  skippedSchema,
  vmFactsSchema,
  vmSchema,
} from '../esxi/inventory/schema.js';
import type { Inventory, VmRecord } from '../esxi/index.js';
import { findingsOf, type Finding } from './findings/index.js';
import type { SourceAddress } from './migrate.js';
import type { InventoryVm, InventoryWithFindings } from './read-inventory.js';

/** Of what `inventory --save` writes; `inventory -f json` prints the same form without it. Fields not known here are left out. */
const INVENTORY_VERSION = 1;

const whole = z.number().int().min(0);
/** A disk has 62 TiB at most, and a raw device 64; what is beyond 1 PiB is none. */
const MOST_BYTES = 1024 ** 5;
/** Of a datastore: one of NFS may be larger than a number counts by ones. */
const room = z.number().min(0).refine(Number.isInteger, 'a whole number').nullable();

const disk = z.object({
  ...diskSchema.shape,
  label: z.string().regex(/^(ide|scsi|sata|nvme)\d+:\d+$/, 'a disk label as scsi0:0'),
  capacity_bytes: z.number().min(0).refine(Number.isInteger, 'a whole number').nullable(),
  allocated_bytes: whole.max(MOST_BYTES).nullable(),
});
const nic = z.object({
  ...nicSchema.shape,
  label: z.string().regex(/^ethernet\d+$/, 'a NIC label as ethernet0'),
  vlan_id: whole.max(4095).nullable(),
});

const finding = z.object({
  code: z.string(),
  severity: z.enum(['blocker', 'warning', 'info']),
  subject: z.string(),
  message: z.string(),
  remedy: z.string(),
});

const savedVm = z
  .object({
    ...vmSchema.shape,
    // A vCenter's are `vm-12`.
    id: z.string().regex(/^(?:vm-)?\d+$/, 'a vmid'),
    cpus: whole.nullable(),
    cores_per_socket: whole,
    memory_mib: whole.nullable(),
    snapshots: whole,
    disks: z.array(disk),
    nics: z.array(nic),
    /** What only the rules read. `inventory -f json` does not print it. */
    facts: vmFactsSchema.optional(),
    findings: z.array(finding).optional(),
  })
  .superRefine((vm, context) => {
    for (const key of ['disks', 'nics'] as const) {
      const labels = vm[key].map(({ label }) => label);
      const at = twice(labels);
      if (at >= 0)
        context.addIssue({ code: 'custom', path: [key, at, 'label'], message: `${labels[at]} is there twice` });
    }
    for (const [at, { label, capacity_bytes: capacity }] of vm.disks.entries()) {
      // A descriptor may say what no disk can have: that is found on it, and what it says is kept.
      if ((capacity ?? 0) <= MOST_BYTES || isTooLarge(vm, label)) continue;
      context.addIssue({ code: 'custom', path: ['disks', at, 'capacity_bytes'], message: 'more than 1 PiB' });
    }
  });

/** Whether it was seen, when the disk was read, that its size cannot be. */
function isTooLarge(
  vm: { facts?: { diskProblems: Record<string, { code: string }[]> } | undefined; findings?: Finding[] | undefined },
  label: string,
): boolean {
  const seen = vm.facts?.diskProblems[label] ?? vm.findings?.filter(({ subject }) => subject === label) ?? [];
  return seen.some(({ code }) => code === 'disk.too_large');
}

/** The place of the first word that was there before; -1 without any. */
const twice = (words: readonly string[]) => words.findIndex((word, at) => words.indexOf(word) < at);

const savedSchema = z.object({
  saved_at: z.iso.datetime({ offset: true }).optional(),
  source: z.object({ host: z.string().min(1), port: whole.min(1).max(65535), user: z.string().min(1) }).optional(),
  host: z.object(hostSchema.shape),
  datastores: z.array(z.object({ ...datastoreSchema.shape, capacity_bytes: room, free_bytes: room })),
  networks: z.array(z.object({ ...networkSchema.shape, vlan_id: whole.max(4095).nullable() })),
  vms: z.array(savedVm).superRefine((vms, context) => {
    const at = twice(vms.map(({ id }) => id));
    if (at >= 0) context.addIssue({ code: 'custom', path: [at, 'id'], message: `${vms[at]?.id} is there twice` });
  }),
  skipped: z.array(z.object(skippedSchema.shape)).default([]),
});
type SavedVm = z.infer<typeof savedSchema>['vms'][number];

/**
 * What `--save` writes: the contract's object with its version, and for each VM the facts that rules read, so that a
 * later program can judge it anew.
 */
export function savedInventory(
  inventory: Inventory,
  by: { program: string; now: Date; source: SourceAddress },
): object {
  const { host, port, user } = by.source;
  return {
    version: INVENTORY_VERSION,
    program: by.program,
    saved_at: by.now.toISOString(),
    source: { host, port, user },
    host: inventory.host,
    datastores: inventory.datastores,
    networks: inventory.networks,
    vms: inventory.vms.map(({ facts, ...vm }) => ({
      ...vm,
      findings: findingsOf({ ...vm, facts }, inventory),
      facts,
    })),
    skipped: inventory.skipped,
  };
}

/**
 * The inventory of a file, and when (ISO 8601) it was read from its host; null where the file does not say. Where the
 * facts that rules read are in it, it is judged anew, by the rules of this program; where they are not, what the program
 * found that wrote it stands, for the rules would miss what they cannot see.
 * @param name the file's, for errors
 * @throws StackferryError `inventory.unreadable` (exit 2): no JSON, no inventory, a newer version, or what cannot be
 *   (sizes below 0, words that no host says, two VMs of one id): the error names the place
 */
export function parseSavedInventory(
  text: string,
  name: string,
): { inventory: InventoryWithFindings; savedAt: string | null } {
  const { saved, inventory } = read(text, name);
  return {
    inventory: { ...inventory, vms: saved.vms.map((vm) => judged(vm, inventory, name)) },
    savedAt: saved.saved_at ?? null,
  };
}

/**
 * The inventory of a file with all that plans and checks need, and where and when (ISO 8601) it was read; null where the
 * file does not say.
 * @throws StackferryError `inventory.unreadable` (exit 2), also for what `inventory -f json` printed: that has no facts
 */
export function parseSavedHost(
  text: string,
  name: string,
): { inventory: Inventory; source: SourceAddress | null; savedAt: string | null } {
  const { saved, inventory } = read(text, name);
  if (inventory.vms.length < saved.vms.length) {
    throw unreadable(
      `${name} holds what is printed of an inventory, and not all that was read.`,
      'Write it with: stackferry inventory --esxi HOST --save FILE',
    );
  }
  return { inventory, source: saved.source ?? null, savedAt: saved.saved_at ?? null };
}

function read(text: string, name: string): { saved: z.infer<typeof savedSchema>; inventory: Inventory } {
  const data = parseJson(text, name);
  const version = z.object({ version: z.number() }).safeParse(data).data?.version ?? INVENTORY_VERSION;
  if (version > INVENTORY_VERSION) {
    throw unreadable(
      `${name} was written by a newer stackferry (version ${version} of the form).`,
      'Use that program, or a later one.',
    );
  }
  const parsed = savedSchema.safeParse(data);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    const where = first && first.path.length > 0 ? ` (${placeOf(data, first.path)}: ${first.message})` : '';
    throw unreadable(
      `${name} is no inventory that can be true${where}.`,
      'Make it anew: stackferry inventory --esxi HOST --save FILE',
    );
  }
  const saved = parsed.data;
  const inventory: Inventory = {
    host: saved.host,
    datastores: saved.datastores,
    networks: saved.networks,
    vms: saved.vms.flatMap(withFacts),
    skipped: saved.skipped,
  };
  return { saved, inventory };
}

/** `vms.3.disks.0.capacity_bytes of "web01"`. */
function placeOf(data: unknown, path: readonly PropertyKey[]): string {
  const vm = z.object({ vms: z.array(z.object({ name: z.string() }).catch({ name: '' })) }).safeParse(data).data?.vms;
  const name = path[0] === 'vms' ? vm?.[Number(path[1])]?.name : undefined;
  return `${path.join('.')}${name === undefined || name === '' ? '' : ` of ${JSON.stringify(name)}`}`;
}

/** The VM as it was read, without what an older program found on it; nothing where its facts are not there. */
function withFacts(saved: SavedVm): VmRecord[] {
  const { facts, ...vm } = saved;
  delete vm.findings;
  return facts ? [{ ...vm, facts }] : [];
}

function judged({ facts, findings, ...vm }: SavedVm, inventory: Inventory, name: string): InventoryVm {
  if (facts) return { ...vm, findings: findingsOf({ ...vm, facts }, inventory) };
  if (findings) return { ...vm, findings };
  throw unreadable(
    `${name} does not say what was found on ${JSON.stringify(vm.name)}: it has neither findings nor facts.`,
    'Write it anew: stackferry inventory --esxi HOST --save FILE',
  );
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    throw unreadable(
      text.trim() === '' ? `${name} is empty.` : `${name} is not JSON.`,
      'Write one: stackferry inventory --esxi HOST --save FILE',
      error,
    );
  }
}

function unreadable(message: string, hint: string, cause?: unknown): StackferryError {
  return new StackferryError('inventory.unreadable', message, { hint, exitCode: 2, cause });
}
