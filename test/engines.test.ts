import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** The Node that package.json asks for must do for every package that the program takes along. */

interface Package {
  dev?: boolean;
  engines?: { node?: string };
}
const root = new URL('../', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), 'utf8');
const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> };

type Version = readonly [number, number, number];
const version = (text: string): Version => {
  const [major = '0', minor = '0', patch = '0'] = text.trim().replace(/\*/g, '0').split('.');
  return [Number(major), Number(minor), Number(patch)];
};
const atLeast = (a: Version, b: Version) => (a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) >= 0;

/** Whether a range of npm's (`||`, `>=`, `^`, `10.*`) takes a version. */
function takes(range: string, wanted: Version): boolean {
  return range.split('||').some((part) => {
    const found = /^(>=|\^)?\s*([\d.*]+)$/.exec(part.trim());
    if (!found) throw new Error(`the range "${part}" is not understood`);
    const bound = version(found[2] ?? '');
    return atLeast(wanted, bound) && (found[1] === '>=' || wanted[0] === bound[0]);
  });
}

/** The oldest of each line that we take. */
const oldest = engines.node.split('||').map((part) => version(part.replace(/[^\d.]/g, '')));

it('the oldest Node that we take does for all packages', () => {
  const strict = Object.entries(packages).flatMap(([path, { dev, engines: needs }]) =>
    path !== '' && dev !== true && needs?.node !== undefined
      ? oldest
          .filter((one) => !takes(needs.node ?? '', one))
          .map((one) => `${path} wants ${needs.node}, not ${one.join('.')}`)
      : [],
  );
  expect(strict).toEqual([]);
  expect(oldest.length).toBeGreaterThan(1);
});

it('an older one does not: the bounds are no stricter than need be', () => {
  const needed = Object.values(packages).flatMap(({ dev, engines: needs }) =>
    dev === true ? [] : (needs?.node ?? []),
  );
  for (const [major, minor] of oldest) {
    const older: Version = minor > 0 ? [major, minor - 1, 0] : [major - 1, 99, 0];
    expect(needed.some((range) => !takes(range, older))).toBe(true);
  }
});

it('the lock file, README and the installing script say the same', () => {
  expect(packages['']?.engines?.node).toBe(engines.node);
  for (const [major, minor] of oldest) expect(read('README.md')).toContain(`${major}.${minor}`);
  const ours = /^NODE_VERSION=([\d.]+)$/m.exec(read('scripts/lib/setup.sh'))?.[1] ?? '';
  expect(takes(engines.node, version(ours))).toBe(true);
});
