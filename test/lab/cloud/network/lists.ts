/** What all of Neutron's lists know: filters by attribute, tags, `fields`, sorting, pages. */
import { Refusal, type Call } from '../http.js';
import type { Json } from '../values.js';

/** A refusal with Neutron's error type. */
export function neutron(status: number, type: string, message: string): Refusal {
  return new Refusal(status, message, { type });
}

const CONTROL = new Set([
  'limit',
  'marker',
  'fields',
  'sort_key',
  'sort_dir',
  'page_reverse',
  'tags',
  'tags-any',
  'not-tags',
  'not-tags-any',
]);

/** Only the attributes that `fields` names, where it names any. */
export function pickFields(call: Call, item: Json): Json {
  const fields = call.query.getAll('fields');
  return fields.length === 0 ? item : Object.fromEntries(Object.entries(item).filter(([key]) => fields.includes(key)));
}

/**
 * The body of a list: `{ports: […], ports_links: […]}`. Values of one key are alternatives; different keys must all fit.
 * @param handled keys that the caller has looked at itself
 * @throws Refusal 400 for a key that is no attribute, as the extension filter-validation has it
 */
export function listed(call: Call, collection: string, items: Json[], handled: ReadonlySet<string> = new Set()): Json {
  const { query } = call;
  const keys = [...new Set(query.keys())].filter((key) => !CONTROL.has(key) && !handled.has(key));
  const unknown = items.length === 0 ? [] : keys.filter((key) => !items.some((item) => key in item));
  if (unknown.length > 0) {
    const list = unknown.map((key) => `'${key}'`).join(', ');
    throw neutron(400, 'HTTPBadRequest', `[${list}] is invalid attribute for filtering`);
  }
  let found = items;
  for (const key of keys) {
    const wanted = query.getAll(key);
    found = found.filter((item) => wanted.some((value) => same(key, item[key], value)));
  }
  const tags = (key: string) => query.get(key)?.split(',') ?? [];
  const has = (item: Json, tag: string) => Array.isArray(item['tags']) && item['tags'].includes(tag);
  if (query.has('tags')) found = found.filter((item) => tags('tags').every((tag) => has(item, tag)));
  if (query.has('tags-any')) found = found.filter((item) => tags('tags-any').some((tag) => has(item, tag)));
  if (query.has('not-tags')) found = found.filter((item) => !tags('not-tags').every((tag) => has(item, tag)));
  if (query.has('not-tags-any')) found = found.filter((item) => !tags('not-tags-any').some((tag) => has(item, tag)));
  const marker = query.get('marker');
  if (marker !== null) {
    const at = found.findIndex((item) => item['id'] === marker);
    if (at < 0) throw neutron(400, 'HTTPBadRequest', `Marker ${marker} not found`);
    found = found.slice(at + 1);
  }
  const limit = Number(query.get('limit') ?? 0);
  const last = limit > 0 ? found[limit - 1] : undefined;
  if (limit > 0) found = found.slice(0, limit);
  const links: object[] = [];
  if (last) {
    const next = new URLSearchParams(query);
    next.set('marker', typeof last['id'] === 'string' ? last['id'] : '');
    links.push({ rel: 'next', href: `${call.root}${call.path}?${next.toString()}` });
  }
  return {
    [collection]: found.map((item) => pickFields(call, item)),
    ...(links.length > 0 ? { [`${collection}_links`]: links } : {}),
  };
}

function same(key: string, value: unknown, wanted: string): boolean {
  if (key === 'mac_address' && typeof value === 'string') return value.toLowerCase() === wanted.toLowerCase();
  if (typeof value === 'boolean') return value === ['true', '1', 't', 'yes'].includes(wanted.toLowerCase());
  return (typeof value === 'string' || typeof value === 'number') && String(value) === wanted;
}
