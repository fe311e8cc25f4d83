import { extname } from 'node:path';
import { UsageError, formatBytes, type Context } from '../core/index.js';
import { assertWhole } from './check-whole.js';
import { HEAD_BYTES, TAIL_BYTES, contentOf } from './detect.js';
import { qemuImg } from './qemu-img.js';
import { MAX_DISK_BYTES, bytesAt, regularFile, sourceError, tooLarge, withFile } from './source.js';
import type { CheckedSource, SourceFile } from './source.js';
import type { SourceFormat } from './types.js';
import { checkVmdk } from './vmdk-source.js';

const SECTOR = 512;

/**
 * Looks at a local image before qemu-img does, tells its format from its content, and refuses what would make qemu-img
 * read another file (backing files, external data files, parents), what is encrypted or damaged, and what lies about its size.
 * `workDir` is an empty folder of the caller's for checked descriptors; it must stand as long as the result is used.
 */
export async function checkSource(
  path: string,
  format: SourceFormat | undefined,
  workDir: string,
  ctx: Context,
): Promise<CheckedSource> {
  const file = await regularFile(path, null);
  if (file.bytes === 0) throw sourceError('convert.unknown_format', path, 'is empty', 'Copy it again.');
  const found = await detectFormat(file);
  // A raw image may begin with anything, so the word of whoever knows it counts.
  const decided = format === 'raw' ? 'raw' : found;
  if (format !== undefined && format !== decided) {
    throw new UsageError(
      `${path} is ${found ?? 'no image of a known format'}, not ${format}.`,
      'Leave the format out.',
    );
  }
  if (decided === 'vmdk') return checkVmdk(path, workDir);
  if (decided === null) {
    throw sourceError(
      'convert.unknown_format',
      path,
      'is no disk image of a known format (VMDK, qcow2, VHD, VHDX, VDI)',
      'A raw image is taken for one if it is named .raw or .img, or if the source format raw is given.',
    );
  }
  if (decided === 'qcow2') await checkQcow2(file);
  if (decided === 'vpc') await checkVhd(file);
  const capacityBytes = await virtualSize(file, decided, ctx);
  if (capacityBytes > MAX_DISK_BYTES) throw tooLarge(path, capacityBytes);
  if (decided !== 'raw') await assertWhole(file, decided, ctx);
  return { path: file.path, format: decided, capacityBytes, files: [file] };
}

async function detectFormat(file: SourceFile): Promise<SourceFormat | null> {
  const [head, tail] = await withFile(file.path, async (handle) => [
    await bytesAt(handle, 0, HEAD_BYTES),
    await bytesAt(handle, Math.max(0, file.bytes - TAIL_BYTES), TAIL_BYTES),
  ]);
  const content = contentOf(head, tail);
  if (content !== null && content !== 'tar' && content !== 'gzip' && content !== 'archive') return content;
  const archive = content === 'tar' ? 'a tar archive (an OVA?)' : content === null ? null : 'compressed';
  const suffix = extname(file.path).toLowerCase();
  if (suffix === '.raw' || suffix === '.img') return 'raw';
  if (archive !== null)
    throw sourceError('convert.unknown_format', file.path, `is ${archive}`, 'Unpack it and give the disk in it.');
  if (suffix === '.vmdk') return 'vmdk';
  return null;
}

/** The fixed part of a qcow2 header (docs/interop/qcow2.txt of QEMU). */
async function checkQcow2(file: SourceFile): Promise<void> {
  const header = await withFile(file.path, (handle) => bytesAt(handle, 0, 104));
  const refuse = (why: string, hint: string) => sourceError('convert.unsafe_source', file.path, why, hint);
  if (header.length < 72) throw refuse('is a qcow2 image that was cut short', 'Copy it again.');
  const version = header.readUInt32BE(4);
  if (version !== 2 && version !== 3)
    throw refuse(`is of the unknown qcow2 version ${version}`, 'Convert it with its own tool.');
  if (header.readBigUInt64BE(8) !== 0n) {
    throw refuse(
      'has a backing file, which is not followed',
      'Flatten it first: qemu-img convert -O qcow2 OLD NEW, where both lie.',
    );
  }
  if (header.readUInt32BE(32) !== 0) throw refuse('is encrypted', 'Decrypt it first.');
  if (version === 3 && header.length >= 80 && (header.readBigUInt64BE(72) & 4n) !== 0n) {
    throw refuse('keeps its data in another file, which is not followed', 'Convert it to one file first.');
  }
  const size = header.readBigUInt64BE(24);
  if (size > BigInt(MAX_DISK_BYTES)) throw tooLarge(file.path, Number(size));
}

/** Disk type at byte 60 of a VHD's footer: 2 fixed, 3 dynamic, 4 differencing ("Virtual Hard Disk Image Format"). */
async function checkVhd(file: SourceFile): Promise<void> {
  const footer = await withFile(file.path, (handle) => bytesAt(handle, Math.max(0, file.bytes - SECTOR), SECTOR));
  const type = footer.toString('latin1', 0, 8) === 'conectix' ? footer.readUInt32BE(60) : null;
  if (type === 2 || type === 3) return;
  const why =
    type === 4
      ? 'is a differencing VHD, whose parent is not followed'
      : 'has no sound VHD footer: it was cut short or changed';
  throw sourceError('convert.unsafe_source', file.path, why, 'Merge or copy it again where it comes from.');
}

/** As qemu-img sees it; an image that names another file is refused here once more. */
async function virtualSize(file: SourceFile, format: SourceFormat, ctx: Context): Promise<number> {
  const { stdout } = await qemuImg(['info', '--output=json', '-f', format, file.path], ctx, {
    what: `read ${file.path}`,
  });
  const info = JSON.parse(stdout) as Record<string, unknown>;
  const size = info['virtual-size'];
  if (info['backing-filename'] !== undefined || info['full-backing-filename'] !== undefined) {
    throw sourceError(
      'convert.unsafe_source',
      file.path,
      'has a backing file, which is not followed',
      'Flatten it first.',
    );
  }
  if (info['encrypted'] === true)
    throw sourceError('convert.unsafe_source', file.path, 'is encrypted', 'Decrypt it first.');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size <= 0) {
    throw sourceError(
      'convert.unknown_format',
      file.path,
      `has an impossible size (${formatBytes(Number(size))})`,
      'Check it.',
    );
  }
  return size;
}
