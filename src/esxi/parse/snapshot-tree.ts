export interface SnapshotNode {
  name: string;
  id: string | null;
  /** Its lines joined by line breaks. */
  description: string;
  /** 0 for a root. */
  depth: number;
}

const MARK = /^((?:--)*)\|-(?:ROOT|CHILD)\s*$/;
const FIELD = /^((?:--)+)Snapshot (Name|Id|Desci?r?iption|Created On|State)\s*: ?([^]*)$/;

/**
 * Reads `vim-cmd vmsvc/snapshot.get` into its nodes in the order printed. A node is a mark (`|-ROOT`, `--|-CHILD`) and
 * the name right below it with two more dashes. A description runs over lines, which are its own until `Created On`
 * comes with the same dashes; a node whose id was seen before is text of a description, too.
 * No snapshot: only the heading is printed.
 */
export function parseSnapshotTree(text: string): SnapshotNode[] {
  const nodes: SnapshotNode[] = [];
  const ids = new Set<string>();
  let described: string | null = null;
  let description: string[] = [];
  let doubled = false;
  let marked: string | null = null;
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\s+$/, '');
    const field = FIELD.exec(line);
    const [, dashes = '', word = '', value = ''] = field ?? [];
    if (described !== null) {
      if (word === 'Created On' && dashes === described) {
        described = null;
        const node = nodes.at(-1);
        // Behind an id that was seen before it is nobody's.
        if (node && !doubled) node.description = description.join('\n').trimEnd();
      } else {
        description.push(line);
      }
      continue;
    }
    const mark = MARK.exec(line);
    if (mark) {
      marked = mark[1] ?? '';
      continue;
    }
    if (!field) continue;
    if (word === 'Name' && marked !== null && dashes === `${marked}--`) {
      nodes.push({ name: value, id: null, description: '', depth: marked.length / 2 });
      marked = null;
    } else if (word === 'Id') {
      const node = nodes.at(-1);
      if (!node || node.id !== null) continue;
      doubled = ids.has(value);
      if (doubled) nodes.pop();
      else {
        ids.add(value);
        node.id = value;
      }
    } else if (word.startsWith('Desc')) {
      described = dashes;
      description = [value];
    }
  }
  return nodes;
}
