/** A second opinion on qcow2 images: reads one in memory by its tables, and counts who points to what. */
export interface Qcow2Read {
  disk: Buffer;
  l2Tables: number;
}

const COPIED = 1n << 63n;

export function readQcow2(image: Buffer): Qcow2Read {
  const u32 = (at: number) => image.readUInt32BE(at);
  const u64 = (at: number) => Number(image.readBigUInt64BE(at));
  if (image.toString('latin1', 0, 4) !== 'QFI\xfb' || u32(4) !== 3) throw new Error('not qcow2 version 3');
  const cluster = 2 ** u32(20);
  if (image.length % cluster !== 0) throw new Error('a cluster cut short');
  const zeroFields = [8, 12, 16, 32, 60, 64, 68, 72, 76, 80, 84, 88, 92, 104, 108, 112, 116];
  if (zeroFields.some((at) => u32(at) !== 0)) throw new Error('a field that should be zero');
  if (u32(96) !== 4 || u32(100) !== 112) throw new Error('refcount order, header length');

  const uses = new Array<number>(image.length / cluster).fill(0);
  const use = (position: number, clusters = 1) => {
    if (position % cluster !== 0) throw new Error(`not at a cluster: ${position}`);
    for (let at = position / cluster; at < position / cluster + clusters; at++) {
      const before = uses[at];
      if (before === undefined) throw new Error(`points behind the end: ${position}`);
      uses[at] = before + 1;
    }
  };
  const pointer = (at: number): number => {
    const entry = image.readBigUInt64BE(at);
    if (entry === 0n) return 0;
    if ((entry & COPIED) === 0n) throw new Error('no COPIED bit');
    return Number(entry & ~COPIED);
  };

  const disk = Buffer.alloc(u64(24));
  const entries = cluster / 8;
  let l2Tables = 0;
  let lastData = 0;
  use(0);
  use(u64(40), Math.ceil((u32(36) * 8) / cluster));
  for (let i = 0; i < u32(36); i++) {
    const l2 = pointer(u64(40) + i * 8);
    if (l2 === 0) continue;
    use(l2);
    l2Tables++;
    for (let j = 0; j < entries; j++) {
      const data = pointer(l2 + j * 8);
      if (data === 0) continue;
      if (data <= lastData) throw new Error('data out of the order of the disk');
      lastData = data;
      use(data);
      image.copy(disk, (i * entries + j) * cluster, data, data + cluster);
    }
  }

  const counts: number[] = [];
  use(u64(48), u32(56));
  let blocks = 0;
  for (let i = 0; i < (u32(56) * cluster) / 8; i++) {
    const block = u64(u64(48) + i * 8);
    if (block === 0) continue;
    if (i !== blocks++) throw new Error('a refcount block left out');
    use(block);
    for (let j = 0; j < cluster / 2; j++) counts.push(image.readUInt16BE(block + j * 2));
  }
  if (counts.length < uses.length) throw new Error('clusters without a refcount');
  if (counts.length - uses.length >= cluster / 2) throw new Error('more refcount blocks than needed');
  for (const [at, used] of uses.entries()) if (used !== 1) throw new Error(`cluster ${at} is used ${used} times`);
  for (const [at, n] of counts.entries()) {
    if (n !== (at < uses.length ? 1 : 0)) throw new Error(`cluster ${at} has refcount ${n}`);
  }
  return { disk, l2Tables };
}
