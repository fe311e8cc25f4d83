/**
 * Whether a range as package.json's `engines` has it (`^20.17.0 || >=23.5.0`: carets, lower bounds and `||`) takes a
 * Node. Imports nothing, and is written so that old ones can read it: it is asked before anything else is loaded.
 */
export function takesNode(range: string, version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return range.split('||').some((part) => {
    const [least = 0, ...more] = part
      .replace(/[^\d.]/g, '')
      .split('.')
      .map(Number);
    const [leastMinor = 0, leastPatch = 0] = more;
    const enough = major - least || minor - leastMinor || patch - leastPatch;
    return enough >= 0 && (part.trim().startsWith('>=') || major === least);
  });
}
