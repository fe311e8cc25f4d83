import { LineCounter, parseDocument } from 'yaml';
import { UsageError } from '../../../core/index.js';
import { issueText } from '../issue-text.js';
import { RULES_VERSION, mappingRules, type MappingRules } from './schema.js';

const MAX_BYTES = 1024 * 1024;

/**
 * Reads a file of mapping rules (YAML or JSON).
 * @throws UsageError that names the line and what is wrong with it.
 */
export function parseRules(text: string, path: string): MappingRules {
  const wrong = (why: string) =>
    new UsageError(`${path} holds no mapping rules: ${why}.`, 'What they may hold: stackferry plan --rules-schema');
  if (Buffer.byteLength(text) > MAX_BYTES) throw wrong('it is larger than 1 MiB');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) throw wrong(`line ${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0] ?? ''}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw wrong('it has too many aliases');
  }
  const parsed = mappingRules.safeParse(value);
  if (parsed.success) return parsed.data;
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > RULES_VERSION) {
    throw wrong(`they are of version ${version}, and this program knows versions up to ${RULES_VERSION}`);
  }
  const [issue] = parsed.error.issues;
  const at = (issue?.path ?? []).join('.');
  throw wrong(`${at || 'the file'}: ${issueText(issue)}`);
}
