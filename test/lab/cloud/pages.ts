/** Marker pagination, the same in all services: `limit`, `marker`, and a link to the next page. */
import { Refusal, type Call } from './http.js';

export interface Page<T> {
  items: T[];
  /** Query of the next page, or null at the end. */
  next: string | null;
}

/**
 * @param most entries in a page where the client names no limit, or a greater one
 * @param unknownMarker what to refuse a marker with that is not there
 * @throws Refusal 400 for a limit that cannot be
 */
export function page<T>(
  call: Call,
  all: readonly T[],
  most: number,
  idOf: (item: T) => string,
  unknownMarker = (marker: string) => new Refusal(400, `marker [${marker}] not found`),
): Page<T> {
  const { query } = call;
  let limit = most;
  const asked = query.get('limit');
  if (asked !== null) {
    if (!/^-?\d+$/.test(asked)) throw new Refusal(400, 'limit param must be an integer');
    if (Number(asked) < 0) throw new Refusal(400, 'limit param must be positive');
    limit = Math.min(Number(asked), call.core.settings.pageSize);
  }
  let start = 0;
  const marker = query.get('marker');
  if (marker !== null) {
    start = all.findIndex((item) => idOf(item) === marker) + 1;
    if (start === 0) throw unknownMarker(marker);
  }
  const items = all.slice(start, start + limit);
  const last = items.at(-1);
  // A full page has a link to the next one, even where that is empty: the services count no further (seen on the real lab).
  if (last === undefined || items.length < limit) return { items, next: null };
  const next = new URLSearchParams(query);
  next.set('limit', String(limit));
  next.set('marker', idOf(last));
  return { items, next: next.toString() };
}
