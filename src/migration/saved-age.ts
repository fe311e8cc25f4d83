/** How old a saved inventory is, in words, and when that is too old to rest on without a look at the host. */

const DAY_MS = 24 * 3600 * 1000;
/** VMs are started, resized and snapshotted from week to week: beyond this many days a person is warned. */
export const OLD_AFTER_DAYS = 7;

/** What is said of an old one, wherever it is used. */
export interface OldInventory {
  code: 'inventory.old';
  message: string;
  hint: string;
}

/**
 * Whole days from `savedAt` (ISO 8601) to `now` (milliseconds since the epoch); none for a time that is still to come,
 * as clocks differ. Null where the file does not say when it was read.
 */
export function daysSince(savedAt: string | null, now: number): number | null {
  const then = savedAt === null ? NaN : Date.parse(savedAt);
  return Number.isNaN(then) ? null : Math.max(0, Math.floor((now - then) / DAY_MS));
}

/** `2026-11-18 06:07 UTC, 7 days ago`; `an unknown date` where the file does not say. */
export function savedWhen(savedAt: string | null, now: number): string {
  const days = daysSince(savedAt, now);
  if (savedAt === null || days === null) return 'an unknown date';
  const iso = new Date(savedAt).toISOString();
  const ago = days === 0 ? 'less than a day' : `${days} day${days === 1 ? '' : 's'}`;
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC, ${ago} ago`;
}

/** The warning of an inventory that is older than a week; null of a younger one, and of one of unknown age. */
export function oldInventory(days: number | null): OldInventory | null {
  if (days === null || days <= OLD_AFTER_DAYS) return null;
  return {
    code: 'inventory.old',
    message: `The saved inventory is ${days} days old: VMs may have changed since, or be gone.`,
    hint: 'Save it anew: stackferry inventory --esxi HOST --save FILE',
  };
}
