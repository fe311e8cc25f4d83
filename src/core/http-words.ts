/** Headers of answers, as HTTP has them (RFC 9110). */

/** Longest wait that a `Retry-After` is granted, in milliseconds. */
const MAX_RETRY_AFTER_MS = 120_000;

/** `Retry-After` in milliseconds: seconds or an HTTP date, never more than two minutes. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS) : undefined;
}

/** What an answer to a range says about itself. */
export interface ContentRange {
  /** Null where none of its bytes came (416). */
  from: number | null;
  /** Of the file; null where it is left open. */
  total: number | null;
}

/** `Content-Range: bytes 0-511/68719476736`; null for anything else. */
export function contentRange(header: string | undefined): ContentRange | null {
  const match = /^bytes (?:(\d{1,16})-\d{1,16}|\*)\/(\d{1,16}|\*)$/.exec(header ?? '');
  if (!match) return null;
  return { from: match[1] === undefined ? null : Number(match[1]), total: match[2] === '*' ? null : Number(match[2]) };
}
