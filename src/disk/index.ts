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
  type OnChunk,
} from './content-hash.js';
export { LocalBytes } from './local-bytes.js';
export { ByteReader } from './vmdk/byte-reader.js';
export type { LayoutOptions } from './vmdk/chain.js';
export { deltaLayout, type DeltaLayout } from './vmdk/delta.js';
export { flatLayout } from './vmdk/flat.js';
export { vmdkLayout } from './vmdk/layout.js';
export type { VmdkLink } from './vmdk/link-map.js';
export { readStreamOptimized, type StreamedDisk } from './vmdk/stream-optimized.js';
export { openStreamOptimized, type CompressedDisk } from './vmdk/compressed-disk.js';
export { layoutSource, withZeros, type DiskSource } from './disk-source.js';
export { cutAtChunks, onlyWanted } from './wanted-pieces.js';
export { SparseFile, freeBytes, writeError } from './sparse-file.js';
export type { ByteSource, DiskLayout, DiskPiece, Segment } from './disk-layout.js';
export { RangeList, RangeListBuilder, type Range } from './ranges.js';
export { DiskHasher } from './disk-hasher.js';
export { DigestThread } from './digest-thread.js';
export { ChunkMarks } from './chunk-marks.js';
export { ChunkManifest, type ManifestOf } from './manifest.js';
export { fillTarget, targetDiffers, type FillRequest, type Filled } from './fill-target.js';
export type { RangeTarget } from './range-target.js';
export { releaseChunkBuffer, takeChunkBuffer } from './chunk-buffers.js';
