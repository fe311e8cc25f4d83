import type { ByteSource } from '../disk-layout.js';
import { SECTOR_BYTES } from './descriptor.js';
import { badFile, shortFile, unsupported } from './faults.js';
import { PARENT, ZEROS } from './runs.js';
import { seTable, type SparseHeader } from './sparse-header.js';
import type { SparseShape } from './sparse-shape.js';

const VERSION = 0x200000001n;
const VOLATILE_MAGIC = 0xcafecafen;
const GRAIN_SECTORS = 8;
const TABLE_SECTORS = 64;

/**
 * seSparse: 64-bit entries; directory, tables and grains in areas of their own, tables and grains known by number.
 * Layout and the meaning of entries as qemu's block/vmdk.c reads them; only the one geometry that ESXi writes (grains of
 * 4 KiB, tables of 4096 entries) is taken. A file whose journal was not replayed is refused: its tables may be old.
 */
export async function seSparseShape(header: SparseHeader, head: Buffer, file: ByteSource): Promise<SparseShape> {
  const { name } = file;
  const word = (number: number) => Number(head.readBigUInt64LE(number * 8));
  const area = (number: number) => ({ begin: word(number), end: word(number) + word(number + 1) });
  if (head.readBigUInt64LE(8) !== VERSION) throw unsupported(name, 'is a seSparse file of an unknown version');
  if (header.grainSectors !== GRAIN_SECTORS || header.tableEntries !== TABLE_SECTORS * (SECTOR_BYTES / 8)) {
    throw unsupported(name, `has grains of ${header.grainSectors} sectors, tables of ${header.tableEntries} entries`);
  }
  const state = area(10);
  if (state.begin < 1 || state.end <= state.begin) throw badFile(name, 'it has no place for its state');
  if (state.end * SECTOR_BYTES > file.bytes) throw shortFile(name, file.bytes, state.end * SECTOR_BYTES, 'its header');
  const volatile = await file.read(state.begin * SECTOR_BYTES, SECTOR_BYTES);
  if (volatile.readBigUInt64LE(0) !== VOLATILE_MAGIC) throw badFile(name, 'its second header is missing');
  if (volatile.readBigUInt64LE(24) !== 0n) {
    throw unsupported(name, 'has a journal that is to be replayed first (the host did not close it)');
  }
  const [directory, tables] = [area(16), area(18)];
  if ((directory.end - directory.begin) * SECTOR_BYTES < header.directoryEntries * 8) {
    throw badFile(name, 'its directory is too small');
  }
  const areas = [state, directory, tables].sort((a, b) => a.begin - b.begin);
  if (areas.some(({ begin }, index) => index > 0 && begin < (areas[index - 1]?.end ?? 0))) {
    throw badFile(name, 'its areas overlap');
  }
  if (header.grainsOffset < (areas.at(-1)?.end ?? 0)) throw badFile(name, 'its grains lie on its tables');
  const tableBytes = TABLE_SECTORS * SECTOR_BYTES;
  const grainBytes = GRAIN_SECTORS * SECTOR_BYTES;
  const [tablesAt, grainsAt] = [tables.begin * SECTOR_BYTES, header.grainsOffset * SECTOR_BYTES];
  const tableCount = Math.floor((tables.end - tables.begin) / TABLE_SECTORS);
  return {
    capacityBytes: header.capacitySectors * SECTOR_BYTES,
    grainBytes,
    tableEntries: header.tableEntries,
    tableBytes,
    directory: { position: directory.begin * SECTOR_BYTES, entries: header.directoryEntries, entryBytes: 8 },
    tableAt(bytes, at) {
      const position = seTable(header, bytes.readBigUInt64LE(at), name) * SECTOR_BYTES;
      if (position + tableBytes > tablesAt + tableCount * tableBytes) {
        throw badFile(name, 'its directory names a table beyond the last one');
      }
      return position;
    },
    grainAt(table, index) {
      const low = table.readUInt32LE(index * 8);
      const high = table.readUInt32LE(index * 8 + 4);
      switch (high >>> 28) {
        case 0:
          if (low !== 0 || high !== 0) break;
          return PARENT;
        case 1: // unmapped by the guest
        case 2: // zeros
          return ZEROS;
        case 3: {
          const number = ((high & 0xffff) * 2 ** 32 + low) * 4096 + ((high >>> 16) & 0xfff);
          return grainsAt + number * grainBytes;
        }
      }
      throw badFile(name, 'a table holds an entry that cannot be read');
    },
    reserved: [],
    tables: { origin: tablesAt, bytes: tableBytes, count: tableCount },
    grains: { origin: grainsAt, bytes: grainBytes, count: Math.ceil(Math.max(0, file.bytes - grainsAt) / grainBytes) },
  };
}
