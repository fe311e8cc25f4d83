import { describe, expect, it } from 'vitest';
import { parseMetadata, parseTags } from '../../../src/migration/plan/server-words.js';

describe('--metadata', () => {
  it('is split at the first =', () => {
    expect(parseMetadata(['owner=alice', 'note=a=b', 'empty='])).toEqual({ owner: 'alice', note: 'a=b', empty: '' });
  });

  it.each([
    ['owner', /not of the form KEY=VALUE/],
    ['=x', /not of the form KEY=VALUE/],
    ['k!@=x', /--metadata k!@: a metadata key: 1 to 255/],
    ['stackferry_run=r1', /every run sets itself/],
    [`long=${'x'.repeat(256)}`, /--metadata long: /],
  ])('is refused: %s', (text, message) => {
    expect(() => parseMetadata([text])).toThrow(message);
  });

  it('is refused where a key is given twice', () => {
    expect(() => parseMetadata(['a=1', 'a=2'])).toThrow(/given twice/);
  });
});

describe('--tag', () => {
  it('takes what Nova takes, and nothing else', () => {
    expect(parseTags(['web', 'a b'])).toEqual(['web', 'a b']);
    expect(() => parseTags(['a,b'])).toThrow('--tag a,b: a tag has neither , nor /.');
    expect(() => parseTags(['a', 'a'])).toThrow(/each tag once/);
  });
});
