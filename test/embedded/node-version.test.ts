import { expect, test } from 'vitest';
import { run } from '../support/program.js';

/** A Node of another version, as far as a program can see. */
const pretend = (version: string) => {
  const code = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
};

test('too old a Node is told which one is needed, and no syntax error', async () => {
  const ended = await run(['--help'], pretend('18.20.4'));
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(/^error {2}stackferry needs Node\.js \^20\.17\.0 .*\(converter\.node\)\n {7}\S.*\n$/);
});

test('a newer one goes on', async () => {
  expect(await run(['--version'], pretend('26.0.0'))).toMatchObject({ code: 0, stderr: '' });
});
