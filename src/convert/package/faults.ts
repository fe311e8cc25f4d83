import { StackferryError } from '../../core/index.js';

const AGAIN = 'Copy all files of the export again, and compare their sizes with those where they come from.';

/** `why` goes on after the file's (or package's) name. */
export function packageError(code: string, name: string, why: string, hint = AGAIN, cause?: unknown): StackferryError {
  return new StackferryError(code, `${name} ${why}.`, { hint, cause });
}

/** A name that leads out of the package: `package.unsafe_path`. */
export function unsafePath(where: string, name: string, why: string): StackferryError {
  return packageError(
    'package.unsafe_path',
    where,
    `names the file ${JSON.stringify(name.slice(0, 200))}, ${why}; it is not opened`,
    'Put all files of the VM into one folder, under plain names, and name them so in the descriptor.',
  );
}
