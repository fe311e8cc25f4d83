import { StackferryError } from '../core/index.js';
import { fitting, type Inventory } from '../esxi/index.js';
import type { SessionBase } from './session.js';

/**
 * The VMs without those that `--exclude` fits. A selector that fits none of them is told: it may be a slip.
 * @throws StackferryError `vm.not_found` (exit code 2) where none is left.
 */
export function withoutExcluded<T extends { id: string; name: string | null; uuid?: string | null }>(
  base: Pick<SessionBase, 'ctx'>,
  vms: readonly T[],
  exclude: readonly string[],
): T[] {
  const away = new Set<T>();
  for (const selector of exclude) {
    const found = fitting(vms, selector);
    for (const vm of found) away.add(vm);
    if (found.length > 0) continue;
    base.ctx.events.emit({ kind: 'notice', message: `--exclude ${selector} fits none of the VMs chosen.` });
  }
  const left = vms.filter((vm) => !away.has(vm));
  if (left.length > 0 || vms.length === 0) return left;
  throw new StackferryError('vm.not_found', `--exclude leaves none of the ${vms.length} VM(s) chosen.`, {
    hint: 'Choose others with --vm, or exclude fewer.',
    exitCode: 2,
  });
}

/** What is named, or fits a glob, and could not be read on the host: it must not be missing in silence. */
export function chosenSkipped(
  { skipped }: Inventory,
  selectors: readonly string[],
  exclude: readonly string[],
): Inventory['skipped'] {
  const fits = (entry: Inventory['skipped'][number]) => (selector: string) => fitting([entry], selector).length > 0;
  return skipped.filter((entry) => selectors.some(fits(entry)) && !exclude.some(fits(entry)));
}
