import { createCipheriv, createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

const SECTOR = 512;
/** Deltas are written in whole grains of the coarser of the two formats (seSparse's 4 KiB). */
export const DELTA_ALIGN = 4096;
const COPY_STEP = 64 * 1024;

/** One link of a chain: what it writes over the links below it. */
export interface Layer {
  /** Length of the disk. */
  sizeBytes: number;
  /** In order; a later one lies over an earlier one. */
  writes: Write[];
  /** A raw file that lies under the writes (base layers only). */
  image?: string;
}

/** A range of one layer: bytes from a seeded stream, literal bytes, or zeros. */
export interface Write {
  offset: number;
  length: number;
  content: { seed: string } | { bytes: Buffer } | 'zeros';
}

/** The bytes of one write. */
export function bytesOf(write: Write): Buffer {
  const zeros = Buffer.alloc(write.length);
  if (write.content === 'zeros') return zeros;
  if ('bytes' in write.content) return write.content.bytes;
  // AES in counter mode is a fast stream that depends on the seed alone.
  const key = createHash('sha256').update(write.content.seed).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  return Buffer.concat([cipher.update(zeros), cipher.final()]);
}

/** Numbers below a limit that depend on the seed alone. */
function draws(seed: string): (below: number) => number {
  let turn = 0;
  return (below) => {
    turn += 1;
    return createHash('sha256').update(`${seed}#${turn}`).digest().readUIntBE(0, 6) % below;
  };
}

/** An MBR as a boot loader leaves it: some code, one Linux partition from 1 MiB to the end, the signature. */
function mbr(sizeBytes: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.write('\xfa\x33\xc0\x8e\xd0', 0, 'latin1');
  sector.writeUInt32LE(0x57ac4fe1, 440);
  sector.writeUInt8(0x80, 446);
  sector.writeUInt8(0x83, 450);
  sector.writeUInt32LE(2048, 454);
  sector.writeUInt32LE(sizeBytes / SECTOR - 2048, 458);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** The base of a disk: runs of data at odd places (sector-aligned), the first and the last sector among them. */
export function baseLayer(options: {
  sizeBytes: number;
  seed: string;
  dataBytes?: number;
  mbr?: boolean;
  image?: string;
}): Layer {
  const { sizeBytes, seed } = options;
  if (options.image !== undefined) return { sizeBytes, writes: [], image: options.image };
  const draw = draws(seed);
  let left = Math.min(options.dataBytes ?? Math.min(sizeBytes / 16, 2 * 1024 * 1024), sizeBytes);
  const at = (offset: number, length: number, turn: number): Write => ({
    offset,
    length,
    content: { seed: `${seed}/${turn}` },
  });
  const writes: Write[] = [at(0, SECTOR, 0)];
  if (sizeBytes > SECTOR) writes.push(at(sizeBytes - SECTOR, SECTOR, 1));
  for (let turn = 2; left > 0; turn += 1) {
    const length = Math.min((1 + draw(512)) * SECTOR, sizeBytes);
    writes.push(at(draw(sizeBytes / SECTOR - length / SECTOR + 1) * SECTOR, length, turn));
    left -= length;
  }
  if (options.mbr === true) writes.push({ offset: 0, length: SECTOR, content: { bytes: mbr(sizeBytes) } });
  return { sizeBytes, writes };
}

/** A snapshot's delta: new data, data over data, and a run of explicit zeros over what lies below. */
export function deltaLayer(options: { below: Layer; seed: string }): Layer {
  const { sizeBytes } = options.below;
  if (sizeBytes % DELTA_ALIGN !== 0) throw new Error(`a disk with snapshots needs a multiple of ${DELTA_ALIGN} bytes`);
  const draw = draws(options.seed);
  const grains = sizeBytes / DELTA_ALIGN;
  const place = (length: number) => draw(grains - length / DELTA_ALIGN + 1) * DELTA_ALIGN;
  const target = options.below.writes.find((write) => write.length > 2 * DELTA_ALIGN);
  const over = Math.floor((target?.offset ?? sizeBytes / 2) / DELTA_ALIGN) * DELTA_ALIGN;
  const run = Math.min(16, grains) * DELTA_ALIGN;
  const writes: Write[] = [
    { offset: place(run), length: run, content: { seed: `${options.seed}/new` } },
    { offset: Math.min(over, sizeBytes - DELTA_ALIGN), length: DELTA_ALIGN, content: { seed: `${options.seed}/over` } },
    { offset: Math.max(0, over - DELTA_ALIGN), length: DELTA_ALIGN, content: 'zeros' },
    { offset: place(DELTA_ALIGN), length: DELTA_ALIGN, content: 'zeros' },
    { offset: sizeBytes - DELTA_ALIGN, length: DELTA_ALIGN, content: { seed: `${options.seed}/end` } },
  ];
  return { sizeBytes, writes };
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function copySparse(source: string, target: FileHandle): Promise<void> {
  const from = await open(source, 'r');
  try {
    const step = Buffer.alloc(COPY_STEP);
    for (let position = 0; ;) {
      const { bytesRead } = await from.read(step, 0, COPY_STEP, position);
      if (bytesRead === 0) return;
      const bytes = step.subarray(0, bytesRead);
      if (bytes.some((byte) => byte !== 0)) await writeAll(target, bytes, position);
      position += bytesRead;
    }
  } finally {
    await from.close();
  }
}

/** Writes the guest-visible bytes of a chain as a sparse raw file. */
export async function diskContent(disk: { layers: Layer[] }, file: string): Promise<void> {
  await layerContent(disk, disk.layers.length - 1, file);
}

/** The same up to a link of the chain: 0 is the base alone. */
export async function layerContent(disk: { layers: Layer[] }, level: number, file: string): Promise<void> {
  const layers = disk.layers.slice(0, level + 1);
  const top = layers.at(-1);
  if (top === undefined) throw new Error('this disk has no content of its own (a raw device mapping)');
  const out = await open(file, 'w');
  try {
    await out.truncate(top.sizeBytes);
    for (const layer of layers) {
      if (layer.image !== undefined) await copySparse(layer.image, out);
      for (const write of layer.writes) await writeAll(out, bytesOf(write), write.offset);
    }
  } finally {
    await out.close();
  }
}
