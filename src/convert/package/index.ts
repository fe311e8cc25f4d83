/** Packages of files as a source: OVA, OVF, .vmx, bare disks; from here, a URL or a stream. */
export { assertCapacity, type Expected, type PackageDisk } from './disk.js';
export { Package, openPackage } from './open-package.js';
export { openStreamedOva, type StreamedMember, type StreamedOva } from './streamed-ova.js';
export type { UrlOptions } from './http-bytes.js';
