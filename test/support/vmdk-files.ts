/**
 * Writes VMDK files as an ESXi host holds them, from raw content: flat, COWD (vmfsSparse) and seSparse deltas, and
 * stream-optimized files. Layouts after the published notes of the formats; qemu-img reads them back in the tests.
 */
import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

const SECTOR = 512;

export interface Written {
  /** Name of the descriptor. */
  descriptor: string;
  /** Names of its extent files. */
  extents: string[];
  cid: string;
}

export function cidOf(content: Uint8Array): string {
  const cid = createHash('sha256').update(content).digest('hex').slice(0, 8);
  return cid === 'ffffffff' ? '00000001' : cid;
}

export function descriptorText(fields: {
  createType: string;
  extents: string[];
  cid: string;
  parentCid?: string;
  parent?: string;
}): string {
  return [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    `CID=${fields.cid}`,
    `parentCID=${fields.parentCid ?? 'ffffffff'}`,
    'isNativeSnapshot="no"',
    `createType="${fields.createType}"`,
    ...(fields.parent === undefined ? [] : [`parentFileNameHint="${fields.parent}"`]),
    '',
    '# Extent description',
    ...fields.extents,
    '',
    '# The Disk Data Base ',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    'ddb.virtualHWVersion = "13"',
    '',
  ].join('\n');
}

/** Content with text, noise and runs of zeros, the same for the same seed. */
export function patterned(bytes: number, seed: string): Buffer {
  const content = Buffer.alloc(bytes);
  let state = createHash('sha256').update(seed).digest();
  for (let at = 0; at < bytes; at += 4096) {
    state = createHash('sha256').update(state).digest();
    const kind = (state[0] ?? 0) % 4;
    if (kind === 0) continue;
    if (kind === 1) content.fill(`${seed} ${at} `, at, Math.min(bytes, at + 4096));
    else for (let put = at; put < Math.min(bytes, at + 4096); put += 32) state.copy(content, put);
    if ((state[1] ?? 0) % 8 === 0) at += 1024 * 1024; // a hole
  }
  return content;
}

/** A file with holes where the content is zero. */
export async function writeSparse(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w');
  const zeros = Buffer.alloc(65536);
  for (let at = 0; at < content.length; at += 65536) {
    const block = content.subarray(at, at + 65536);
    if (!block.equals(zeros.subarray(0, block.length))) await file.write(block, 0, block.length, at);
  }
  await file.truncate(content.length);
  await file.close();
}

export async function writeFlat(folder: string, name: string, content: Buffer): Promise<Written> {
  const cid = cidOf(content);
  await writeSparse(join(folder, `${name}-flat.vmdk`), content);
  const extents = [`RW ${content.length / SECTOR} VMFS "${name}-flat.vmdk"`];
  await writeFile(join(folder, `${name}.vmdk`), descriptorText({ createType: 'vmfs', extents, cid }));
  return { descriptor: `${name}.vmdk`, extents: [`${name}-flat.vmdk`], cid };
}

/** Several flat extents of the given sizes, in one descriptor. */
export async function writeSplit(folder: string, name: string, content: Buffer, sizes: number[]): Promise<Written> {
  const cid = cidOf(content);
  const extents: string[] = [];
  const lines: string[] = [];
  let at = 0;
  for (const [index, size] of sizes.entries()) {
    const file = `${name}-f${String(index + 1).padStart(3, '0')}.vmdk`;
    await writeSparse(join(folder, file), content.subarray(at, at + size));
    lines.push(`RW ${size / SECTOR} FLAT "${file}" 0`);
    extents.push(file);
    at += size;
  }
  const text = descriptorText({ createType: 'twoGbMaxExtentFlat', extents: lines, cid });
  await writeFile(join(folder, `${name}.vmdk`), text);
  return { descriptor: `${name}.vmdk`, extents, cid };
}

function changedBlocks(parent: Buffer, child: Buffer, step: number): { index: number; bytes: Buffer }[] {
  const changed: { index: number; bytes: Buffer }[] = [];
  for (let at = 0; at < child.length; at += step) {
    const bytes = child.subarray(at, at + step);
    if (!bytes.equals(parent.subarray(at, at + step))) changed.push({ index: at / step, bytes });
  }
  return changed;
}

/** A vmfsSparse delta: grains of one sector, tables of 4096 entries, made as they are needed. */
export async function writeCowd(
  folder: string,
  name: string,
  parent: Written,
  below: Buffer,
  content: Buffer,
): Promise<Written> {
  const sectors = content.length / SECTOR;
  const tables = Math.ceil(sectors / 4096);
  const directory = Buffer.alloc(Math.ceil((tables * 4) / SECTOR) * SECTOR);
  let free = 4 + directory.length / SECTOR;
  const tableAt = new Map<number, { sector: number; entries: Buffer }>();
  const pieces: { sector: number; bytes: Buffer }[] = [];
  for (const { index, bytes } of changedBlocks(below, content, SECTOR)) {
    const number = Math.floor(index / 4096);
    let table = tableAt.get(number);
    if (!table) {
      table = { sector: free, entries: Buffer.alloc(4096 * 4) };
      tableAt.set(number, table);
      directory.writeUInt32LE(free, number * 4);
      free += 32;
    }
    table.entries.writeUInt32LE(free, (index % 4096) * 4);
    pieces.push({ sector: free++, bytes });
  }
  const header = Buffer.alloc(4 * SECTOR);
  header.write('COWD', 'latin1');
  [1, 3, sectors, 1, 4, tables, free].forEach((value, at) => header.writeUInt32LE(value, 4 + at * 4));
  const out = Buffer.alloc(free * SECTOR);
  header.copy(out);
  directory.copy(out, 4 * SECTOR);
  for (const { sector, entries } of tableAt.values()) entries.copy(out, sector * SECTOR);
  for (const { sector, bytes } of pieces) bytes.copy(out, sector * SECTOR);
  await writeFile(join(folder, `${name}-delta.vmdk`), out);
  return finish(
    folder,
    name,
    'vmfsSparse',
    `RW ${sectors} VMFSSPARSE "${name}-delta.vmdk"`,
    `${name}-delta.vmdk`,
    parent,
    content,
  );
}

/** An seSparse delta: grains of 4 KiB, 64-bit tables of 4096 entries. Content is a multiple of 4 KiB. */
export async function writeSeSparse(
  folder: string,
  name: string,
  parent: Written,
  below: Buffer,
  content: Buffer,
): Promise<Written> {
  const grain = 4096;
  const sectors = content.length / SECTOR;
  const tables = Math.ceil(sectors / 8 / 4096);
  const [directoryAt, tablesAt] = [16, 16 + Math.ceil((tables * 8) / SECTOR)];
  const used = new Map<number, Buffer>();
  const grains: Buffer[] = [];
  for (const { index, bytes } of changedBlocks(below, content, grain)) {
    const number = Math.floor(index / 4096);
    const entries = used.get(number) ?? Buffer.alloc(4096 * 8);
    used.set(number, entries);
    const zero = bytes.equals(Buffer.alloc(bytes.length));
    const place = BigInt(grains.length);
    const entry = zero ? 2n << 60n : (3n << 60n) | ((place & 0xfffn) << 48n) | (place >> 12n);
    entries.writeBigUInt64LE(entry, (index % 4096) * 8);
    if (!zero) grains.push(bytes);
  }
  const grainsAt = tablesAt + used.size * 64 + 2;
  const out = Buffer.alloc(grainsAt * SECTOR + grains.length * grain);
  const words: Record<number, number> = {
    2: sectors,
    3: 8,
    4: 64,
    10: 1,
    11: 1,
    12: 2,
    13: 2,
    14: 4,
    15: 4,
    16: directoryAt,
    17: tablesAt - directoryAt,
    18: tablesAt,
    19: used.size * 64,
    20: grainsAt - 2,
    21: 1,
    22: grainsAt - 1,
    23: 1,
    24: grainsAt,
    25: grains.length * 8,
  };
  out.writeBigUInt64LE(0xcafebaben, 0);
  out.writeBigUInt64LE(0x200000001n, 8);
  for (const [at, value] of Object.entries(words)) out.writeBigUInt64LE(BigInt(value), Number(at) * 8);
  out.writeBigUInt64LE(0xcafecafen, SECTOR);
  [...used].forEach(([number, entries], place) => {
    out.writeBigUInt64LE((1n << 60n) | BigInt(place), directoryAt * SECTOR + number * 8);
    entries.copy(out, (tablesAt + place * 64) * SECTOR);
  });
  grains.forEach((bytes, place) => bytes.copy(out, grainsAt * SECTOR + place * grain));
  await writeFile(join(folder, `${name}-sesparse.vmdk`), out);
  return finish(
    folder,
    name,
    'seSparse',
    `RW ${sectors} SESPARSE "${name}-sesparse.vmdk"`,
    `${name}-sesparse.vmdk`,
    parent,
    content,
  );
}

async function finish(
  folder: string,
  name: string,
  createType: string,
  line: string,
  file: string,
  parent: Written,
  content: Buffer,
): Promise<Written> {
  const cid = cidOf(content);
  const text = descriptorText({ createType, extents: [line], cid, parentCid: parent.cid, parent: parent.descriptor });
  await writeFile(join(folder, `${name}.vmdk`), text);
  return { descriptor: `${name}.vmdk`, extents: [file], cid };
}

/** A stream-optimized file in the footer form, its descriptor inside. */
export async function writeStreamOptimized(path: string, content: Buffer, descriptor?: string): Promise<void> {
  const [sectors, grain, perTable, overhead] = [Math.ceil(content.length / SECTOR), 128, 512, 128];
  const text =
    descriptor ??
    descriptorText({
      createType: 'streamOptimized',
      extents: [`RDONLY ${sectors} SPARSE "x.vmdk"`],
      cid: cidOf(content),
    });
  const header = (directory: bigint) => {
    const out = Buffer.alloc(SECTOR);
    out.write('KDMV', 'latin1');
    out.writeUInt32LE(3, 4);
    out.writeUInt32LE(0x30001, 8);
    [sectors, grain, 1, 20].forEach((value, at) => out.writeBigUInt64LE(BigInt(value), 12 + at * 8));
    out.writeUInt32LE(perTable, 44);
    out.writeBigUInt64LE(directory, 56);
    out.writeBigUInt64LE(BigInt(overhead), 64);
    out.write('\n \r\n', 73, 'latin1');
    out.writeUInt16LE(1, 77);
    return out;
  };
  const parts: Buffer[] = [];
  let size = 0;
  const put = (bytes: Buffer) => {
    const padded = Buffer.alloc(Math.ceil(bytes.length / SECTOR) * SECTOR);
    bytes.copy(padded);
    parts.push(padded);
    size += padded.length;
  };
  const marker = (count: number, kind: number) => {
    const out = Buffer.alloc(SECTOR);
    out.writeBigUInt64LE(BigInt(count), 0);
    out.writeUInt32LE(kind, 12);
    put(out);
  };
  put(header(0xffffffffffffffffn));
  const area = Buffer.alloc((overhead - 1) * SECTOR);
  area.write(text);
  put(area);
  const tables = Math.ceil(sectors / grain / perTable);
  const directory = Buffer.alloc(tables * 4);
  for (let number = 0; number < tables; number++) {
    const table = Buffer.alloc(perTable * 4);
    for (let index = 0; index < perTable; index++) {
      const place = number * perTable + index;
      const bytes = Buffer.alloc(grain * SECTOR);
      if (
        content.subarray(place * bytes.length, (place + 1) * bytes.length).copy(bytes) === 0 ||
        bytes.every((byte) => byte === 0)
      )
        continue;
      table.writeUInt32LE(size / SECTOR, index * 4);
      const packed = deflateSync(bytes);
      const head = Buffer.alloc(12);
      head.writeBigUInt64LE(BigInt(place * grain), 0);
      head.writeUInt32LE(packed.length, 8);
      put(Buffer.concat([head, packed]));
    }
    marker((perTable * 4) / SECTOR, 1);
    directory.writeUInt32LE(size / SECTOR, number * 4);
    put(table);
  }
  marker(Math.ceil(directory.length / SECTOR), 2);
  const directoryAt = BigInt(size / SECTOR);
  put(directory);
  marker(1, 3);
  put(header(directoryAt));
  put(Buffer.alloc(SECTOR));
  await writeFile(path, Buffer.concat(parts));
}
