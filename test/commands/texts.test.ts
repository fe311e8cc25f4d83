import { describe, expect, it } from 'vitest';
import { skippedLine } from '../../src/commands/inventory-text.js';
import { printResult } from '../../src/commands/results.js';
import type { DiskProof, RunResult } from '../../src/migration/result.js';

describe('a skipped entry', () => {
  it.each([
    ['web01', 'skipped  id:7 web01: why\n'],
    ['', 'skipped  id:7: why\n'],
    [null, 'skipped  id:7: why\n'],
  ])('with the name %j', (name, line) => expect(skippedLine({ id: '7', name, reason: 'why' })).toBe(line));
});

describe('what is known of a disk', () => {
  const base: DiskProof = {
    label: 'image0',
    content_hash: null,
    image: 'not made',
    image_hash: null,
    compared: null,
    volume: 'not made',
  };
  it.each<[Partial<DiskProof>, string]>([
    [{ volume: 'not read back' }, 'nothing known of its content, nothing compared'],
    [
      { content_hash: 'sha256-4m:ab', image: 'equal', image_hash: 'sha512:cd', volume: 'not read back' },
      'sha256-4m:ab  image equal (sha512), volume not read back',
    ],
    [{ content_hash: 'sha256-4m:ab' }, 'sha256-4m:ab  no image, no volume'],
    [{ image: 'equal', image_hash: 'sha512:cd' }, 'content hash not known  image equal (sha512), no volume'],
  ])('%j', async (proof, text) => {
    const vm = { vm: null, id: null, state: 'done', server_id: null, image_ids: [], volumes: [], ports: [] } as const;
    const more = { boot: null, warnings: [], error: null, proof: [{ ...base, ...proof }] };
    let shown = '';
    const result = { run: 'r1', state: 'done', vms: [{ ...vm, ...more }] } as unknown as RunResult;
    await printResult((piece) => (shown += piece), 'table', result);
    expect(shown).toBe(`disk     image0  ${text}\nrun      r1  done\n`);
  });
});
