import { open } from 'node:fs/promises';

import { bytesOf, type Layer } from './content.js';

// vmfsSparse, the delta of VMFS-5: header, grain directory, then grain tables and grains as they come. Layout: VMware's
// "Virtual Disk Format 5.0" (ESX Server sparse extents) and QEMU's block/vmdk.c (VMDK3Header), which reads it.
const SECTOR = 512;
const GRAIN_SECTORS = 1;
const TABLE_ENTRIES = 4096;
const TABLE_SECTORS = (TABLE_ENTRIES * 4) / SECTOR;
const DIRECTORY_AT = 4;

/** Writes one delta extent (`-delta.vmdk`, magic COWD). */
export async function writeCowd(layer: Layer, file: string): Promise<void> {
  const sectors = layer.sizeBytes / SECTOR;
  const directory = Buffer.alloc(Math.ceil((Math.ceil(sectors / TABLE_ENTRIES) * 4) / SECTOR) * SECTOR);
  const grains = new Map<number, Buffer>();
  for (const write of layer.writes) {
    const bytes = bytesOf(write);
    for (let done = 0; done < bytes.length; done += SECTOR) {
      grains.set((write.offset + done) / SECTOR, bytes.subarray(done, done + SECTOR));
    }
  }
  const tables = new Map<number, Buffer>();
  const out = await open(file, 'w');
  try {
    let free = DIRECTORY_AT + directory.length / SECTOR;
    for (const [grain, bytes] of [...grains].sort(([a], [b]) => a - b)) {
      const number = Math.floor(grain / TABLE_ENTRIES);
      let table = tables.get(number);
      if (table === undefined) {
        table = Buffer.alloc(TABLE_SECTORS * SECTOR);
        tables.set(number, table);
        directory.writeUInt32LE(free, number * 4);
        free += TABLE_SECTORS;
      }
      table.writeUInt32LE(free, (grain % TABLE_ENTRIES) * 4);
      await out.write(bytes, 0, SECTOR, free * SECTOR);
      free += GRAIN_SECTORS;
    }
    for (const [number, table] of tables) {
      await out.write(table, 0, table.length, directory.readUInt32LE(number * 4) * SECTOR);
    }
    const header = Buffer.alloc(DIRECTORY_AT * SECTOR);
    header.write('COWD', 0, 'latin1');
    const cylinders = Math.max(1, Math.floor(sectors / (255 * 63)));
    // version, flags, disk sectors, grain, directory, its entries, next free sector, geometry
    [1, 3, sectors, GRAIN_SECTORS, DIRECTORY_AT, Math.ceil(sectors / TABLE_ENTRIES), free, cylinders, 255, 63].forEach(
      (value, index) => header.writeUInt32LE(value, 4 + index * 4),
    );
    await out.write(header, 0, header.length, 0);
    await out.write(directory, 0, directory.length, DIRECTORY_AT * SECTOR);
    await out.truncate(free * SECTOR);
  } finally {
    await out.close();
  }
}
