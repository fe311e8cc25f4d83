import { LineCounter, isSeq, parseDocument } from 'yaml';

/**
 * The text of a plan file with more acceptances in its `accept` list; comments and all else stay as they are. Those that
 * are there already are not written again; where none is new, null. The text must be a plan: see `parsePlan`.
 */
export function addAcceptances(text: string, more: readonly string[]): string | null {
  const document = parseDocument(text, { lineCounter: new LineCounter() });
  const list = document.get('accept', true);
  if (!isSeq(list)) throw new Error('a plan has a list accept');
  const present: unknown[] = list.toJS(document) as unknown[];
  const missing = [...new Set(more)].filter((item) => !present.includes(item));
  if (missing.length === 0) return null;
  // `[]` is how an empty list is written; with something in it, a line each reads better. JSON knows no other form.
  if (list.items.length === 0 && !text.trimStart().startsWith('{')) list.flow = false;
  for (const item of missing) list.add(document.createNode(item));
  return document.toString({ lineWidth: 0 });
}
