/** Lock modes of VMFS: 0 nobody, 1 one host exclusively, 2 readers, 3 several writers. */
export interface VmfsLock {
  mode: number;
  /** MAC of the host that holds it for writing, from the last group of the owner; null for nobody. */
  ownerMac: string | null;
  /** MACs of the hosts that hold it for reading. */
  readerMacs: string[];
}

/**
 * Reads what `vmkfstools -D FILE` prints about a file's lock, or null where it says nothing about one (NFS, vSAN, an
 * error). The text runs over several lines, of which any may be broken elsewhere.
 */
export function parseVmfsLock(text: string): VmfsLock | null {
  const joined = text.replace(/\s+/g, ' ');
  const lock = /\bgen \d+, mode (\d+), owner ([0-9a-f-]+)/i.exec(joined);
  if (!lock) return null;
  const readers = [...joined.matchAll(/\bRO Owner\[\d+\] HB Offset \S+ ([0-9a-f-]+)/gi)].map((match) =>
    macOf(match[1] ?? ''),
  );
  return {
    mode: Number(lock[1]),
    ownerMac: macOf(lock[2] ?? ''),
    readerMacs: readers.filter((mac) => mac !== null),
  };
}

function macOf(owner: string): string | null {
  const digits = /([0-9a-f]{12})$/i.exec(owner)?.[1]?.toLowerCase();
  if (digits === undefined || /^0+$/.test(digits)) return null;
  return digits.replace(/(..)(?!$)/g, '$1:');
}
