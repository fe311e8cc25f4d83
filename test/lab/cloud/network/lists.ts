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

/** Applies the query to a list of views. Values of one key are alternatives; different keys must all fit. */
export function listed(call: Call, items: Json[], handled: ReadonlySet<string> = new Set()): Json[] {
  let found = items;
  for (const key of new Set(call.query.keys())) {
    if (CONTROL.has(key) || handled.has(key)) continue;
    const wanted = call.query.getAll(key);
    found = found.filter((item) => wanted.some((value) => same(item[key], value)));
  }
  const tags = (key: string) => call.query.get(key)?.split(',') ?? [];
  const tagsOf = (item: Json): unknown[] => (Array.isArray(item['tags']) ? item['tags'] : []);
  if (call.query.has('tags')) found = found.filter((item) => tags('tags').every((tag) => tagsOf(item).includes(tag)));
  if (call.query.has('tags-any'))
    found = found.filter((item) => tags('tags-any').some((tag) => tagsOf(item).includes(tag)));
  const marker = call.query.get('marker');
  if (marker !== null) {
    const at = found.findIndex((item) => item['id'] === marker);
    if (at < 0) throw neutron(400, 'HTTPBadRequest', `Marker ${marker} not found`);
    found = found.slice(at + 1);
  }
  const limit = call.query.get('limit');
  if (limit !== null && Number(limit) > 0) found = found.slice(0, Number(limit));
  return found.map((item) => pickFields(call, item));
}

function same(value: unknown, wanted: string): boolean {
  if (typeof value === 'boolean') return value === ['true', '1', 't', 'yes'].includes(wanted.toLowerCase());
  return (typeof value === 'string' || typeof value === 'number') && String(value) === wanted;
}
