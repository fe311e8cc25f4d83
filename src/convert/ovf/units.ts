/** Words of OVF 0.9 and of programs that write units in their own way. */
const WORDS: Readonly<Record<string, bigint>> = {
  byte: 1n,
  bytes: 1n,
  kilobytes: 2n ** 10n,
  megabytes: 2n ** 20n,
  gigabytes: 2n ** 30n,
  terabytes: 2n ** 40n,
  kb: 2n ** 10n,
  mb: 2n ** 20n,
  gb: 2n ** 30n,
  tb: 2n ** 40n,
};
const MAX_EXPONENT = 63n;

/**
 * Bytes of one unit: `byte * 2^30`, `byte*10^6`, `byte * 1024 * 1024` (DSP0004, annex C: programmatic units), and the
 * words of older programs (`MegaBytes`). Null for anything else, and for what is above 2^63.
 */
export function allocationUnit(text: string): bigint | null {
  const [word = '', ...factors] = text.trim().split(/\s*\*\s*/);
  let unit = WORDS[word.toLowerCase()];
  if (unit === undefined || factors.length > 8) return null;
  for (const factor of factors) {
    const match = /^(\d{1,19})(?:\s*\^\s*(\d{1,2}))?$/.exec(factor);
    if (!match) return null;
    const exponent = BigInt(match[2] ?? '1');
    if (exponent > MAX_EXPONENT) return null;
    unit *= BigInt(match[1] ?? '') ** exponent;
    if (unit > 2n ** MAX_EXPONENT) return null;
  }
  return unit > 0n ? unit : null;
}

/**
 * So many units in bytes. Null where the count is no whole number from 0 on, the unit is not known, or the product is
 * not exact as a number.
 */
export function inBytes(count: string, units: string | null): number | null {
  const unit = allocationUnit(units ?? 'byte');
  if (unit === null || !/^\d{1,19}$/.test(count.trim())) return null;
  const bytes = BigInt(count.trim()) * unit;
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : null;
}
