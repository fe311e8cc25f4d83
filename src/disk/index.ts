/** A disk as bytes: VMDK descriptors and sparse formats, sparse local files, the content hash. */
export {
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT_CID,
  SECTOR_BYTES,
  canQuote,
  capacityBytes,
  hasParent,
  kindOf,
  parseDescriptor,
  serializeDescriptor,
  type VmdkDescriptor,
  type VmdkExtent,
  type VmdkKind,
} from './vmdk/descriptor.js';
export {
  SPARSE_HEADER_BYTES,
  leastFileBytes,
  readSparseHeader,
  type ReadAt,
  type SparseHeader,
} from './vmdk/sparse-header.js';
export {
  CHUNK_BYTES,
  ContentHasher,
  DIGEST_BYTES,
  chunkDigest,
  hashParts,
  hashRawFile,
  isZero,
  readFully,
  type FilePart,
} from './content-hash.js';
export { SparseFile, freeBytes, writeError } from './sparse-file.js';
export type { ByteSource, DiskLayout, DiskPiece, Segment } from './disk-layout.js';
export { RangeList, RangeListBuilder, type Range } from './ranges.js';
