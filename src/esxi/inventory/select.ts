import { StackferryError } from '../../core/index.js';

/** What a selector is compared with. */
export interface Selectable {
  id: string;
  name: string | null;
  uuid?: string | null;
}

type Selector =
  { kind: 'id'; id: string } | { kind: 'uuid'; uuid: string } | { kind: 'name'; name: string; glob: RegExp | null };

function parse(text: string): Selector {
  // A vCenter numbers them `vm-12`.
  const id = /^id:\s*((?:vm-)?\d+)$/i.exec(text)?.[1];
  if (id !== undefined) return { kind: 'id', id };
  const uuid = /^uuid:(.*[0-9a-f].*)$/i.exec(text)?.[1];
  if (uuid !== undefined) return { kind: 'uuid', uuid: bare(uuid) };
  return { kind: 'name', name: text, glob: globOf(text) };
}

function bare(uuid: string): string {
  return uuid.replace(/[\s{}-]/g, '').toLowerCase();
}

/** `*`, `?` and `[abc]`; null for text without any of them. */
function globOf(text: string): RegExp | null {
  if (!/[*?]|\[[^\]]+\]/.test(text)) return null;
  const source = text.replace(/\[(!?)([^\]]+)\]|[\s\S]/g, (part, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\\]^]/g, '\\$&')}]`;
    if (part === '*') return '[\\s\\S]*';
    if (part === '?') return '[\\s\\S]';
    return part.replace(/[\\^$.|+(){}[\]/]/g, '\\$&'); // a `-` needs none, and with the u flag may have none
  });
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    // A set like [z-a]: no glob then, only a name.
    return null;
  }
}

/** All that fit, exact names before globs; what is ambiguous is not judged here. */
function matching<T extends Selectable>(items: readonly T[], selector: Selector): { found: T[]; exact: boolean } {
  switch (selector.kind) {
    case 'id':
      return { found: items.filter(({ id }) => id === selector.id), exact: false };
    case 'uuid':
      return { found: items.filter(({ uuid }) => bare(uuid ?? '') === selector.uuid), exact: true };
    case 'name': {
      const exact = items.filter(({ name }) => name === selector.name);
      if (exact.length > 0 || !selector.glob) return { found: exact, exact: true };
      const { glob } = selector;
      return { found: items.filter(({ name }) => name !== null && glob.test(name)), exact: false };
    }
  }
}

/**
 * The VMs that selectors name (`NAME`, a glob, `id:N`, `uuid:U`), each once, in the order of the selectors. Throws
 * `vm.ambiguous` (exit 2) where a name or uuid fits two VMs, `vm.not_found` (exit 2) with names that are near where
 * nothing fits, and `vm.unreadable` (exit 3) where what fits is a VM that the inventory had to skip.
 */
export function selectVms<T extends Selectable>(
  inventory: { vms: readonly T[]; skipped?: readonly { id: string; name: string | null; reason: string }[] },
  selectors: readonly string[],
): T[] {
  const chosen = new Map<string, T>();
  for (const text of selectors) {
    const selector = parse(text);
    const { found, exact } = matching(inventory.vms, selector);
    if (found.length === 0) throw nothingFits(text, selector, inventory);
    if (exact && found.length > 1) throw ambiguous(text, found);
    for (const vm of found) chosen.set(vm.id, vm);
  }
  return [...chosen.values()];
}

/**
 * Those of the selectors that fit something else than VMs which the inventory had to skip alone: `selectVms` takes them,
 * or says that they fit nothing.
 */
export function withoutSkipped(
  inventory: { vms: readonly Selectable[]; skipped: readonly Selectable[] },
  selectors: readonly string[],
): string[] {
  return selectors.filter(
    (text) => fitting(inventory.vms, text).length > 0 || fitting(inventory.skipped, text).length === 0,
  );
}

/** All that a selector fits, exact names before globs: none, one or several, which is for the caller to judge. */
export function fitting<T extends Selectable>(items: readonly T[], selector: string): T[] {
  return matching(items, parse(selector)).found;
}

/** True where some selector asks for a uuid, which the list of VMs does not hold. */
export function asksForUuid(selectors: readonly string[]): boolean {
  return selectors.some((text) => parse(text).kind === 'uuid');
}

/** The VMs to be read for these selectors: all that fit, and those that share a name with one of them. */
export function candidates<T extends Selectable>(items: readonly T[], selectors: readonly string[]): T[] {
  const found = new Set(selectors.flatMap((text) => matching(items, parse(text)).found));
  const names = new Set([...found].map(({ name }) => name));
  return items.filter((item) => found.has(item) || names.has(item.name));
}

function ambiguous(text: string, found: readonly Selectable[]): StackferryError {
  const list = found.map(({ id, name, uuid }) => `id:${id} (${name ?? '?'}${uuid ? `, uuid ${uuid}` : ''})`).join(', ');
  return new StackferryError('vm.ambiguous', `${JSON.stringify(text)} fits ${found.length} VMs: ${list}.`, {
    hint: `Name one by its id: --vm id:${found[0]?.id ?? 'N'}.`,
    exitCode: 2,
  });
}

function nothingFits(
  text: string,
  selector: Selector,
  inventory: { vms: readonly Selectable[]; skipped?: readonly { id: string; name: string | null; reason: string }[] },
): StackferryError {
  const [skipped] = matching(inventory.skipped ?? [], selector).found;
  if (skipped) {
    return new StackferryError(
      'vm.unreadable',
      `The VM ${JSON.stringify(skipped.name ?? `id:${skipped.id}`)} (id ${skipped.id}) cannot be read. ${skipped.reason}`,
      { hint: 'Repair or register it anew on the host, then try again.', exitCode: 3 },
    );
  }
  const near = nearNames(
    text,
    inventory.vms.map(({ name }) => name ?? ''),
  );
  return new StackferryError('vm.not_found', `No VM on the host fits ${JSON.stringify(text)}.`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.map((name) => JSON.stringify(name)).join(' or ')}?`
        : '`stackferry inventory` lists what is there; --vm takes a name, a glob, id:N or uuid:U.',
    exitCode: 2,
  });
}

/** At most three names that differ little from what was asked for, or hold it. */
function nearNames(text: string, names: readonly string[]): string[] {
  const wanted = text.toLowerCase();
  return [...new Set(names)]
    .map((name) => {
      const lower = name.toLowerCase();
      const holds = wanted.length >= 3 && lower.includes(wanted);
      return { name, distance: holds ? 1 : distance(wanted.slice(0, 100), lower.slice(0, 100)) };
    })
    .filter(({ name, distance: far }) => name !== '' && far <= Math.max(1, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Edit distance (Levenshtein): insertions, deletions, changes. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
