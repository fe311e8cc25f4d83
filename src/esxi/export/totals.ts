/** Bytes of several files or disks together; what they take is known where it is of each. */
export function totalsOf(parts: readonly { bytes: number; allocatedBytes: number | null }[]): {
  bytes: number;
  allocatedBytes: number | null;
} {
  let allocatedBytes: number | null = 0;
  let bytes = 0;
  for (const part of parts) {
    bytes += part.bytes;
    allocatedBytes =
      allocatedBytes === null || part.allocatedBytes === null ? null : allocatedBytes + part.allocatedBytes;
  }
  return { bytes, allocatedBytes };
}
