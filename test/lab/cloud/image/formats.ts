/** What the first bytes of an image tell: its format, its virtual size, what Glance's format inspector objects to. */

export interface Inspection {
  /** The format that the bytes are; `raw` for what is none of the known ones. */
  format: string;
  /** Bytes the guest sees; null where the header does not say. */
  virtualSize: number | null;
  /** A safety check of the format inspector failed: backing file or external data file. */
  unsafe: boolean;
}

/** Bytes from the front that `inspect` wants to see. */
export const HEAD_BYTES = 64 * 1024;

/**
 * Headers: qcow2 (QEMU docs/interop/qcow2.txt), VMDK sparse extent (VMware Virtual Disk Format 1.1), VHDX (MS-VHDX),
 * VDI and ISO 9660 by their magic; `gpt` is what oslo.utils' inspector calls anything with a boot sector's signature.
 */
export function inspect(head: Buffer, size: number): Inspection {
  const ascii = (start: number, end: number) => head.subarray(start, end).toString('latin1');
  const known = (format: string, virtualSize: number | null, unsafe = false) => ({ format, virtualSize, unsafe });
  if (head.length >= 104 && ascii(0, 4) === 'QFI\xfb') {
    const externalData = head.readUInt32BE(4) >= 3 && (head.readBigUInt64BE(72) & 4n) === 4n;
    return known('qcow2', Number(head.readBigUInt64BE(24)), head.readBigUInt64BE(8) !== 0n || externalData);
  }
  if (head.length >= 20 && ascii(0, 4) === 'KDMV') return known('vmdk', Number(head.readBigUInt64LE(12)) * 512);
  if (ascii(0, 8) === 'vhdxfile') return known('vhdx', null);
  if (ascii(0, 8) === 'conectix') return known('vhd', null);
  if (head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f) return known('vdi', null);
  if (ascii(32769, 32774) === 'CD001') return known('iso', size);
  if (head.length >= 512 && head[510] === 0x55 && head[511] === 0xaa) return known('gpt', size);
  return known('raw', size);
}
