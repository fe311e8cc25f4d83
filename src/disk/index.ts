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
  type ExtentAccess,
  type ExtentType,
  type VmdkDescriptor,
  type VmdkExtent,
  type VmdkKind,
} from './vmdk/descriptor.js';
