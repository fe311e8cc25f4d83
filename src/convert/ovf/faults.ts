import { StackferryError } from '../../core/index.js';

/** An OVF descriptor that cannot be right: `package.bad_ovf`. `why` goes on after the file's name and the place in it. */
export function badOvf(name: string, place: string, why: string): StackferryError {
  return new StackferryError('package.bad_ovf', `${name}, ${place}: ${why}.`, {
    hint: 'Export the VM again, and copy all files of the export; ovftool NAME.ovf tells whether VMware can read it.',
    details: { file: name, place },
  });
}

/** An OVF descriptor that is sound, perhaps, but asks for what is not done here: `package.ovf_unsupported`. */
export function unsupportedOvf(name: string, place: string, why: string): StackferryError {
  return new StackferryError('package.ovf_unsupported', `${name}, ${place}: ${why}.`, {
    hint: 'Export the VM again without it, or give its disks one by one with the hardware as options.',
    details: { file: name, place },
  });
}
