import { UsageError } from './errors.js';

/** Quantities as people type them on a command line. */

const BYTES: Record<string, number> = {
  '': 1,
  k: 1e3,
  ki: 1024,
  m: 1e6,
  mi: 1024 ** 2,
  g: 1e9,
  gi: 1024 ** 3,
  t: 1e12,
  ti: 1024 ** 4,
};

/**
 * `80MiB/s`, `100MB`, `10k`, `1Gbit/s`, `640Mb/s` (a small b is a bit) as bytes per second.
 * @throws UsageError for anything else, for nothing per second, and for a bare number, which hardly ever means bytes.
 */
export function parseRate(text: string, option: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?(bit|b|B)?(?:\/s|ps)?\s*$/i.exec(text);
  if (match && match[2] === undefined && match[3] === undefined) {
    throw new UsageError(`${option} "${text}" has no unit.`, `Example: ${option} ${match[1]}MiB/s`);
  }
  const scale = BYTES[(match?.[2] ?? '').toLowerCase()] ?? 1;
  const isBits = match?.[3] === 'b' || match?.[3]?.toLowerCase() === 'bit';
  const rate = (Number(match?.[1]) * scale) / (isBits ? 8 : 1);
  if (match && rate >= 1 && Number.isFinite(rate)) return rate;
  throw new UsageError(`${option} "${text}" is no rate.`, `Example: ${option} 80MiB/s, or ${option} 1Gbit/s`);
}

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * `30m`, `1h30m`, `90s`, `2h 15m` in seconds; a plain number counts seconds.
 * @throws UsageError for anything else.
 */
export function parseDuration(text: string, option: string): number {
  const whole = text.trim().toLowerCase();
  let seconds = 0;
  if (/^\d+$/.test(whole)) seconds = Number(whole);
  else if (/^(\d+(\.\d+)?\s*(s|m|min|h|d)\s*)+$/.test(whole)) {
    for (const [, count, unit] of whole.matchAll(/(\d+(?:\.\d+)?)\s*(s|m|min|h|d)/g)) {
      seconds += Number(count) * (SECONDS[(unit ?? 's').charAt(0)] ?? 1);
    }
  }
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new UsageError(`${option} "${text}" is no time span.`, `Example: ${option} 30m, or ${option} 1h30m`);
}
