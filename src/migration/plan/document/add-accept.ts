import { isSeq, parseDocument } from 'yaml';

/**
 * The text of a plan file with more acceptances in its `accept` list; comments and all else stay as they are. Those that
 * are there already are not written again; where none is new, null. The text must be a plan: see `parsePlan`.
 */
export function addAcceptances(text: string, more: readonly string[]): string | null {
  if (text.trimStart().startsWith('{')) return addToJson(text, more);
  const document = parseDocument(text);
  const list = document.get('accept', true);
  if (!isSeq(list)) throw new Error('a plan has a list accept');
  const present: unknown[] = list.toJS(document) as unknown[];
  const missing = [...new Set(more)].filter((item) => !present.includes(item));
  if (missing.length === 0) return null;
  // `[]` is how an empty list is written; with something in it, a line each reads better.
  if (list.items.length === 0) list.flow = false;
  for (const item of missing) list.add(document.createNode(item));
  return document.toString({ lineWidth: 0 });
}

/** `plan -f json` prints plans as well; they have no comments to keep. */
function addToJson(text: string, more: readonly string[]): string | null {
  const plan = parseDocument(text).toJS() as { accept: string[] };
  const accept = [...new Set([...plan.accept, ...more])];
  return accept.length === plan.accept.length ? null : `${JSON.stringify({ ...plan, accept }, null, 2)}\n`;
}
