import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Package, openPackage, type PackageDisk, type StreamedOva } from '../../../src/convert/package/index.js';
import { RangeList } from '../../../src/disk/index.js';
import { recordingContext } from '../../support/recording-context.js';
import { patterned, writeStreamOptimized } from '../../support/vmdk-files.js';
import { STREAM_OPTIMIZED, ovf } from '../ovf/texts.js';

export const MIB = 1024 ** 2;
export const content = patterned(3 * MIB, 'package');

/** A stream-optimized VMDK of {@link content}. */
export async function vmdkBytes(folder: string): Promise<Buffer> {
  const path = join(folder, 'made.tmp');
  await writeStreamOptimized(path, content);
  return readFile(path);
}

export const DISK_ELEMENT = `<Disk ovf:capacity="3" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="${STREAM_OPTIMIZED}"/>`;
export const descriptor = (file = '<File ovf:href="disk1.vmdk" ovf:id="file1"/>', disks = DISK_ELEMENT): string =>
  ovf({ files: file, disks });

export function manifestLine(name: string, bytes: Buffer | string, algorithm = 'sha256', form = 'SHA256(%)= '): string {
  return `${form.replace('%', name)}${createHash(algorithm).update(bytes).digest('hex')}\n`;
}

export async function put(folder: string, files: Record<string, Buffer | string>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    if (name.includes('/')) await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

export function open(given: string): Promise<Package | StreamedOva> {
  return openPackage(given, { ctx: recordingContext() });
}

export async function readDisk(disk: PackageDisk): Promise<Buffer> {
  if (disk.access === 'file') throw new Error('a disk for qemu-img');
  const out = Buffer.alloc(disk.capacityBytes);
  const pieces =
    disk.access === 'any'
      ? disk.source.pieces(RangeList.from([{ offset: 0, length: disk.capacityBytes }]))
      : (await disk.open()).pieces;
  for await (const { offset, bytes } of pieces) bytes.copy(out, offset);
  return out;
}

/** All that can be done with a package: its disks read, its manifest compared. */
export async function readAll(given: string): Promise<Buffer[]> {
  const opened = await open(given);
  const disks: Buffer[] = [];
  if (!(opened instanceof Package)) {
    for await (const { disk, stream } of opened.disks()) {
      const out = Buffer.alloc(disk.capacityBytes);
      for await (const { offset, bytes } of stream.pieces) bytes.copy(out, offset);
      disks.push(out);
    }
    return disks;
  }
  try {
    if (opened.ovf) {
      for (const disk of opened.ovf.disks) if (disk.file) disks.push(await readDisk(await opened.ovfDisk(disk)));
    } else if (opened.kind === 'disk') {
      disks.push(await readDisk(await opened.disk()));
    }
    await opened.verify();
    return disks;
  } finally {
    await opened.close();
  }
}
