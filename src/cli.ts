#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { takesNode } from './core/node-version.js';

/** The program's door. Too old a Node ends at syntax of some package before any line of ours runs, so it is asked first. */

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string };
};
if (takesNode(engines.node, process.versions.node)) {
  await import('./main.js');
} else {
  process.stderr.write(
    `error  stackferry needs Node.js ${engines.node}, and ${process.execPath} is ${process.version}. (converter.node)\n` +
      '       Put a newer one first in PATH: https://nodejs.org/en/download\n',
  );
  process.exitCode = 1;
}
