import { lstat, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { StackferryError, formatBytes, makeFolders, systemCode } from '../../core/index.js';
import { imageEncoders, judgeImage, type EncodedImage } from '../../convert/index.js';
import {
  ChunkManifest,
  SparseFile,
  fillTarget,
  freeBytes,
  targetDiffers,
  writeError,
  type Filled,
} from '../../disk/index.js';
import type { SourceDisk } from '../../esxi/index.js';
import { convertResult, imagePath, type ConvertResult } from './convert.js';
import { filesStand } from './export.js';
import { imageTarget } from './image-target.js';
import { manifestPath } from './manifest.js';
import { ratesText, withProgress } from './progress.js';
import { openDisk, type OpenedDisk } from './reading.js';
import { readSourceFiles } from './source.js';
import { readingToken } from './source-state.js';
import { needSection, type RunContext, type Step } from './step.js';
import { fileSection } from './transfer.js';

/** Which file on this machine is the run's own, and of what it is being made. */
const fileRecord = z.object({
  path: z.string(),
  /** Device and inode. */
  inode: z.string(),
  /** Digest of all that tells one reading of the disk from another: files, their states, what holds data. */
  source: z.string(),
  /** Of the file as it was proved; null until then. */
  mtime_ms: z.number().nullable().default(null),
});
type FileRecord = z.infer<typeof fileRecord>;

/**
 * Reads a disk from the host straight into an image file, in one pass, and goes on inside the file after a kill. The file
 * gets its name once qemu-img reads of it what was read of the disk. Its key and its result are those of the convert
 * step, so whatever follows goes on as after one.
 */
export function diskFileStep(state: RunContext['state'], label: string): Step {
  const key = `convert:${label}`;
  const source = needSection(state, 'source');
  const format = needSection(state, 'images').find((item) => item.label === label)?.format ?? 'raw';
  const path = imagePath(state, source.outputDir, label, format);
  return {
    key,
    kind: 'convert',
    subject: `disk ${label} of ${source.vm.name}`,
    needs: ['source'],
    holds: async (_rc, result) => {
      const parsed = convertResult.safeParse(result);
      return parsed.success && (await filesStand([parsed.data]));
    },
    preview: () => {
      const disk = source.vm.disks.find((item) => item.label === label);
      const held = formatBytes(disk?.allocated_bytes ?? disk?.capacity_bytes ?? 0);
      const body = `${format} image of ${label}, ${held} held, as it is read from the host`;
      return Promise.resolve([{ step: key, service: 'local', method: 'WRITE', path, body }]);
    },
    run: async (rc) => {
      // What is read now is not what an earlier last look at the source was about.
      if (rc.state.steps.get('recheck')?.state === 'done') await rc.record({ kind: 'step.reset', step: 'recheck' });
      const disk = await openDisk(rc, label);
      const image = imageEncoders[format]({ capacityBytes: disk.plan.capacityBytes, data: disk.data });
      const result = await new ImageFileWriter(rc, disk.plan, image, path).write(disk.read);
      const kept = result.keptBytes > 0 ? `, ${formatBytes(result.keptBytes)} kept` : '';
      const { capacity_bytes: capacity, bytes } = result.file;
      const rates = ratesText({ ...result, capacityBytes: capacity - result.keptBytes });
      const summary = `${formatBytes(result.readBytes)} read${kept}, ${format}, ${formatBytes(bytes)}, equal to the source${rates}`;
      return { result: result.file, summary };
    },
  };
}

interface WrittenFile {
  file: ConvertResult;
  readBytes: number;
  keptBytes: number;
  /** That reading and writing took, the proof not counted. */
  seconds: number;
}

class ImageFileWriter {
  readonly #rc: RunContext;
  readonly #disk: SourceDisk;
  readonly #image: EncodedImage;
  readonly #path: string;
  readonly #part: string;

  constructor(rc: RunContext, disk: SourceDisk, image: EncodedImage, path: string) {
    this.#rc = rc;
    this.#disk = disk;
    this.#image = image;
    this.#path = path;
    this.#part = `${path}.part`;
  }

  async write(read: OpenedDisk['read']): Promise<WrittenFile> {
    const { ctx, settings } = this.#rc;
    const { label, capacityBytes } = this.#disk;
    const { format, bytes, wanted } = this.#image;
    const source = readingToken(this.#disk, wanted, `${format} ${bytes}`);
    try {
      const mine = await this.#takeFile(source);
      const start = ctx.clock.now();
      const filled = await this.#fill(read, mine);
      const seconds = (ctx.clock.now() - start) / 1000;
      const judged = await judgeImage(this.#part, this.#image.format, ctx, {
        label: `read back ${label}`,
        sha256: settings.sha256,
      });
      if (judged.contentHash !== filled.contentHash || judged.bytes !== capacityBytes) throw targetDiffers(this.#part);
      // Noted before it has its name: a file of that name that was written to later is somebody's work.
      await this.#note({ ...mine, mtime_ms: (await stat(this.#part)).mtimeMs });
      await rename(this.#part, this.#path);
      const folder = await open(dirname(this.#path), 'r');
      await folder.sync().finally(() => folder.close());
      const { size, mtimeMs } = await stat(this.#path);
      const file: ConvertResult = {
        label,
        path: this.#path,
        format: this.#image.format,
        capacity_bytes: capacityBytes,
        bytes: size,
        content_hash: judged.contentHash,
        sha256: judged.sha256,
        mtime_ms: mtimeMs,
        file_sha512: judged.fileSha512,
        read_bytes: filled.readBytes,
      };
      return { file, readBytes: filled.readBytes, keptBytes: filled.keptBytes, seconds };
    } catch (error) {
      throw await writeError(this.#path, 0, error);
    }
  }

  /**
   * Finds the file that this run has begun, where it is of the same reading of the disk, or begins one.
   * @throws StackferryError `convert.file_exists` where the name is taken by a file that is not the run's, or that
   * somebody wrote to since.
   */
  async #takeFile(source: string): Promise<FileRecord> {
    await makeFolders(dirname(this.#path));
    const noted = fileRecord.safeParse(this.#rc.state.plan.get(fileSection(this.#disk.label))).data;
    const mine = noted?.path === this.#path ? noted : undefined;
    const [there, part] = [await fileAt(this.#path), await fileAt(this.#part)];
    const isDone = there !== null && there.inode === mine?.inode && there.mtimeMs === mine.mtime_ms;
    if (there !== null && !isDone && !needSection(this.#rc.state, 'source').ownDir) throw notOurs(this.#path);
    const isBegun = isDone || (there === null && part !== null && part.inode === mine?.inode);
    if (mine?.source === source && isBegun) {
      if (isDone) await rename(this.#path, this.#part);
      await this.#assertRoom();
      return mine;
    }
    if (isBegun) {
      const message = `${this.#disk.label} is not read as it was before (its files or its map differ): it is copied again from its start.`;
      this.#rc.ctx.events.emit({ kind: 'notice', message });
    }
    await rm(this.#path, { force: true });
    await rm(this.#part, { force: true });
    await this.#assertRoom();
    await (await open(this.#part, 'wx')).close();
    const inode = (await fileAt(this.#part))?.inode ?? '';
    return this.#note({ path: this.#path, inode, source, mtime_ms: null });
  }

  async #note(value: FileRecord): Promise<FileRecord> {
    await this.#rc.record({ kind: 'plan', section: fileSection(this.#disk.label), value });
    return value;
  }

  async #fill(read: OpenedDisk['read'], of: FileRecord): Promise<Filled> {
    const { ctx } = this.#rc;
    const { label, capacityBytes } = this.#disk;
    const { wanted, bytes } = this.#image;
    const file = await SparseFile.open(this.#part, { size: bytes, keep: true });
    let manifest: ChunkManifest | undefined;
    try {
      const progress = { task: `copy:${this.#part}`, label: `copy ${label}`, total: wanted.bytes };
      return await withProgress(this.#rc, progress, async (onBytes) => {
        const place = `${this.#path} ${of.inode}`;
        manifest = await ChunkManifest.open(manifestPath(this.#rc, label), {
          capacityBytes,
          source: of.source,
          target: place,
        });
        const target = await imageTarget(file, this.#image);
        const request = {
          capacityBytes,
          data: wanted,
          read,
          target,
          isBlank: true,
          manifest,
          ctx,
          onBytes,
        };
        const filled = await readSourceFiles(this.#rc, () => fillTarget(request));
        await file.finish();
        return filled;
      });
    } finally {
      await manifest?.close();
      await file.close();
    }
  }

  /** What the map names must fit here, less what an earlier try has left. */
  async #assertRoom(): Promise<void> {
    const here = await lstat(this.#part).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    );
    const dir = dirname(this.#path);
    const needed = this.#image.wanted.bytes - here;
    const free = await freeBytes(dir);
    if (needed <= free) return;
    throw new StackferryError(
      'converter.space',
      `${dir} has ${formatBytes(free)} free; the image of ${this.#disk.label} needs ${formatBytes(needed)}.`,
      {
        hint: 'Free space there or choose another place with --output DIR.',
        exitCode: 3,
        details: { path: dir, needed_bytes: needed, free_bytes: free },
      },
    );
  }
}

/** What tells a regular file from any other; null where there is nothing. */
async function fileAt(path: string): Promise<{ inode: string; mtimeMs: number } | null> {
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) throw notOurs(path);
    return { inode: `${stats.dev}:${stats.ino}`, mtimeMs: stats.mtimeMs };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function notOurs(path: string): StackferryError {
  return new StackferryError(
    'convert.file_exists',
    `${path} is there already, and it is not (or no longer) what this run has made of the disk.`,
    { hint: 'Choose another folder with --output DIR, or move the file away.' },
  );
}
