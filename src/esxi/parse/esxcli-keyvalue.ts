/** What `esxcli … get` prints: a heading (`vSwitch0`, `Platform Information`, or none) and indented `Key: Value` lines. */
export interface KeyValueBlock {
  heading: string;
  /** Values as printed, `''` where nothing follows the colon. Of two equal keys the first counts. */
  fields: Map<string, string>;
}

/** Reads blocks of indented `Key: Value` lines; a line without indent begins a new block. Other lines are left out. */
export function parseKeyValue(text: string): KeyValueBlock[] {
  const blocks: KeyValueBlock[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\s+$/, '');
    if (line === '') continue;
    if (!/^\s/.test(line)) {
      blocks.push({ heading: line, fields: new Map() });
      continue;
    }
    const match = /^\s+([^:]+?)\s*:(?:\s+([^]*))?$/.exec(line);
    if (!match) continue;
    let block = blocks.at(-1);
    if (!block) {
      block = { heading: '', fields: new Map() };
      blocks.push(block);
    }
    const key = match[1] ?? '';
    if (!block.fields.has(key)) block.fields.set(key, match[2] ?? '');
  }
  return blocks;
}

/** The first value of a key in any block, or null where it is missing or empty. */
export function keyValue(text: string, key: string): string | null {
  for (const block of parseKeyValue(text)) {
    const value = block.fields.get(key);
    if (value !== undefined && value !== '') return value;
  }
  return null;
}
