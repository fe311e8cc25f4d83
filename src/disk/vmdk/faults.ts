import { StackferryError } from '../../core/index.js';

/** Tables that cannot be right: `disk.bad_descriptor`. `why` goes on after the file's name. */
export function badFile(name: string, why: string): StackferryError {
  return new StackferryError('disk.bad_descriptor', `${name} is no sound sparse disk file: ${why}.`, {
    hint: 'The file was cut short or changed; copy it again, or let `vmkfstools -i` on the host make a clean copy.',
  });
}

/** A file that ends before what must be in it: `disk.short_file`. */
export function shortFile(name: string, bytes: number, needed: number, what: string): StackferryError {
  return new StackferryError(
    'disk.short_file',
    `${name} ends after ${bytes} bytes, but ${what} reaches to ${needed}: it was cut short.`,
    { hint: 'Copy the file again, and compare its size with the one on the host.' },
  );
}

/** A form that is sound perhaps, but not read here: `disk.unsupported`. */
export function unsupported(name: string, why: string): StackferryError {
  return new StackferryError('disk.unsupported', `${name} ${why}.`, {
    hint: '`vmkfstools -i OLD.vmdk NEW.vmdk -d thin` on the host makes a copy in a form that can be read.',
  });
}

/** Links that do not belong together: `disk.chain_broken`. */
export function brokenChain(message: string): StackferryError {
  return new StackferryError('disk.chain_broken', message, {
    hint: 'Take the links of one chain, unchanged, from the base to the newest; `vmkfstools -i` of the newest tells whether the host itself can read it.',
  });
}
