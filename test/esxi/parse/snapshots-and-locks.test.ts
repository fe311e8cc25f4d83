import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSnapshotTree } from '../../../src/esxi/parse/snapshot-tree.js';
import { parseVmfsLock } from '../../../src/esxi/parse/vmkfstools-lock.js';
import { recordings } from './recordings.js';

interface Node {
  name: string;
  description: string;
  children: Node[];
}

/** As ESXi prints a tree; `id` counts. */
function print(nodes: readonly Node[], depth = 0, counter = { id: 0 }): string {
  const dashes = '--'.repeat(depth);
  return nodes
    .map(({ name, description, children }) => {
      const field = (word: string, value: string) => `${dashes}--Snapshot ${word}: ${value}\n`;
      return (
        `${dashes}|-${depth === 0 ? 'ROOT' : 'CHILD'}\n` +
        field('Name        ', name) +
        field('Id        ', String(++counter.id)) +
        field('Desciption  ', description) +
        field('Created On  ', '10/4/2026 19:0:52') +
        field('State       ', 'powered off') +
        print(children, depth + 1, counter)
      );
    })
    .join('');
}

describe('snapshot.get', () => {
  it('reads a tree with its depths', () => {
    const text = print([
      {
        name: 'a',
        description: '',
        children: [
          { name: 'b', description: 'x', children: [] },
          { name: 'c', description: '', children: [] },
        ],
      },
    ]);
    expect(parseSnapshotTree(`Get Snapshot:\n${text}`)).toEqual([
      { name: 'a', id: '1', description: '', depth: 0 },
      { name: 'b', id: '2', description: 'x', depth: 1 },
      { name: 'c', id: '3', description: '', depth: 1 },
    ]);
  });

  it('does not count snapshots that a description imitates', () => {
    const fake = print([{ name: 'evil', description: 'no', children: [] }]).replace(/.*Created On.*\n.*State.*\n/, '');
    expect(
      parseSnapshotTree(
        `Get Snapshot:\n${print([{ name: 'a', description: `line\n${fake}--|-CHILD`, children: [] }])}`,
      ),
    ).toEqual([{ name: 'a', id: '1', description: `line\n${fake}--|-CHILD`, depth: 0 }]);
  });

  it('gives none for a VM without snapshots', () => {
    expect(parseSnapshotTree('Get Snapshot:\n')).toEqual([]);
  });

  it.each([...recordings('vim-cmd-vmsvc-snapshot.get')])('reads the recording $name', ({ text }) => {
    const nodes = parseSnapshotTree(text);
    expect(nodes.map(({ depth }) => depth)).toEqual([0, 1]);
    expect(nodes[0]?.id).toMatch(/^\d+$/);
  });

  it('counts the nodes of any tree', () => {
    const treeOf = (depth: number): fc.Arbitrary<Node[]> =>
      fc.array(
        fc.record({
          name: fc.string().filter((text) => !/[\r\n]/.test(text)),
          description: fc.lorem().map((text) => text.replaceAll(' ', '\n')),
          children: depth === 0 ? fc.constant<Node[]>([]) : treeOf(depth - 1),
        }),
        { maxLength: 3 },
      );
    const tree = treeOf(3);
    const count = (nodes: readonly Node[]): number => nodes.reduce((sum, { children }) => sum + 1 + count(children), 0);
    fc.assert(
      fc.property(tree, (nodes) => {
        expect(parseSnapshotTree(print(nodes))).toHaveLength(count(nodes));
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseSnapshotTree(text)));
  });
});

describe('vmkfstools -D', () => {
  it('reads an exclusive lock', () => {
    const text =
      'Lock [type 10c00001 offset 45842432 v 33232, hb offset 4116480\n' +
      'gen 2397, mode 1, owner 4e8e5a51-5a2f9b2a-0a6f-001ec9bd2e0a mtime 5436998 nHld 0 nOvf 0]\n';
    expect(parseVmfsLock(text)).toEqual({ mode: 1, ownerMac: '00:1e:c9:bd:2e:0a', readerMacs: [] });
  });

  it('gives null where nothing is said', () => {
    expect(parseVmfsLock('Could not open /vmfs/volumes/x: Function not implemented')).toBeNull();
    fc.assert(fc.property(fc.string(), (text) => void parseVmfsLock(text)));
  });

  it.each(recordings('vmkfstools-D'))('reads the recording $name', ({ text }) => {
    expect(parseVmfsLock(text)).toEqual({ mode: 2, ownerMac: null, readerMacs: ['bc:ae:c5:8a:d8:3d'] });
  });
});
