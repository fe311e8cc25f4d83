import { open } from 'node:fs/promises';

import { bytesOf, type Layer } from './content.js';

// seSparse, the delta of VMFS-6. Layout: QEMU's block/vmdk.c (VMDKSESparseConstHeader, VMDKSESparseVolatileHeader and the
// comments on the bits of directory and table entries), which reads it. All places and sizes are in sectors.
const SECTOR = 512;
const GRAIN = 4096;
const TABLE_SECTORS = 64;
const TABLE_ENTRIES = (TABLE_SECTORS * SECTOR) / 8;
const MIB_SECTORS = 2048;
const DIRECTORY_AT = 2 * MIB_SECTORS;

const ALLOCATED_TABLE = 0x1000000000000000n;
const ZERO_GRAIN = 0x2000000000000000n;
const ALLOCATED_GRAIN = 0x3000000000000000n;

const wholeMib = (sectors: number) => Math.max(1, Math.ceil(sectors / MIB_SECTORS)) * MIB_SECTORS;

/** Bits 48 to 59 hold the low twelve bits of a grain's number, bits 0 to 47 the rest. */
function grainEntry(index: number): bigint {
  return ALLOCATED_GRAIN | (BigInt(index & 0xfff) << 48n) | BigInt(Math.floor(index / 4096));
}

function sectorOf(values: (number | bigint)[]): Buffer {
  const sector = Buffer.alloc(SECTOR);
  values.forEach((value, index) => sector.writeBigUInt64LE(BigInt(value), index * 8));
  return sector;
}

/** Writes one delta extent (`-sesparse.vmdk`). Runs of explicit zeros become zero grains, which hold no data. */
export async function writeSeSparse(layer: Layer, file: string): Promise<void> {
  const grains = new Map<number, Buffer | 'zeros'>();
  for (const write of layer.writes) {
    const bytes = bytesOf(write);
    for (let done = 0; done < bytes.length; done += GRAIN) {
      const grain = (write.offset + done) / GRAIN;
      grains.set(grain, write.content === 'zeros' ? 'zeros' : bytes.subarray(done, done + GRAIN));
    }
  }
  const directoryEntries = Math.ceil(layer.sizeBytes / GRAIN / TABLE_ENTRIES);
  const directorySectors = wholeMib((directoryEntries * 8) / SECTOR);
  const tablesAt = DIRECTORY_AT + directorySectors;
  const tablesSectors = wholeMib(directoryEntries * TABLE_SECTORS);
  const freeMapAt = tablesAt + tablesSectors;
  const backMapAt = freeMapAt + MIB_SECTORS;
  const grainsAt = backMapAt + MIB_SECTORS;

  const tables = new Map<number, { index: number; bytes: Buffer }>();
  const out = await open(file, 'w');
  try {
    let used = 0;
    for (const [grain, content] of [...grains].sort(([a], [b]) => a - b)) {
      const number = Math.floor(grain / TABLE_ENTRIES);
      const table = tables.get(number) ?? { index: tables.size, bytes: Buffer.alloc(TABLE_SECTORS * SECTOR) };
      tables.set(number, table);
      const at = (grain % TABLE_ENTRIES) * 8;
      if (content === 'zeros') {
        table.bytes.writeBigUInt64LE(ZERO_GRAIN, at);
      } else {
        table.bytes.writeBigUInt64LE(grainEntry(used), at);
        await out.write(content, 0, GRAIN, grainsAt * SECTOR + used * GRAIN);
        used += 1;
      }
    }
    const grainsSectors = (used * GRAIN) / SECTOR;
    const constHeader = sectorOf([
      ...[0xcafebabe, 0x200000001, layer.sizeBytes / SECTOR, GRAIN / SECTOR, TABLE_SECTORS],
      ...[0, 0, 0, 0, 0], // flags, reserved
      ...[1, 1, 2, 2, MIB_SECTORS, MIB_SECTORS], // volatile header, journal header, journal: place and size of each
      ...[DIRECTORY_AT, directorySectors, tablesAt, tablesSectors],
      ...[freeMapAt, MIB_SECTORS, backMapAt, MIB_SECTORS, grainsAt, grainsSectors],
    ]);
    // magic, next free table, next sequence number, journal to replay
    const volatileHeader = sectorOf([0xcafecafe, tables.size, 1, 0]);
    await out.write(constHeader, 0, SECTOR, 0);
    await out.write(volatileHeader, 0, SECTOR, SECTOR);
    for (const [number, table] of tables) {
      const entry = Buffer.alloc(8);
      entry.writeBigUInt64LE(ALLOCATED_TABLE | BigInt(table.index));
      await out.write(entry, 0, 8, DIRECTORY_AT * SECTOR + number * 8);
      await out.write(table.bytes, 0, table.bytes.length, (tablesAt + table.index * TABLE_SECTORS) * SECTOR);
    }
    await out.truncate((grainsAt + grainsSectors) * SECTOR);
  } finally {
    await out.close();
  }
}
