import { UsageError } from '../../core/index.js';
import { issueText } from './issue-text.js';
import { serverMetadata, serverTags } from './words.js';

/**
 * Reads what `--tag` says.
 * @throws UsageError for a tag that Nova takes none of.
 */
export function parseTags(list: readonly string[]): string[] {
  const parsed = serverTags.safeParse(list);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`--tag ${list.join(', ')}: ${issueText(issue)}.`, 'Example: --tag web --tag moved');
}

/**
 * Reads `KEY=VALUE` of `--metadata`, split at the first `=`.
 * @throws UsageError for another form, a key that is given twice or that Nova does not take.
 */
export function parseMetadata(list: readonly string[]): Record<string, string> {
  const example = 'Example: --metadata owner=alice';
  const found = new Map<string, string>();
  for (const text of list) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--metadata "${text}" is not of the form KEY=VALUE.`, example);
    const key = text.slice(0, at);
    if (found.has(key)) throw new UsageError(`--metadata ${key} is given twice.`, 'Give it once.');
    found.set(key, text.slice(at + 1));
  }
  const parsed = serverMetadata.safeParse(Object.fromEntries(found));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`--metadata ${issue?.path.join('.') ?? ''}: ${issueText(issue)}.`, example);
}
