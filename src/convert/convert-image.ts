import { lstat, mkdtemp, open, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { StackferryError, UsageError, formatBytes, makeFolders, type Context } from '../core/index.js';
import { freeBytes, writeError } from '../disk/index.js';
import { checkSource } from './check-source.js';
import { hashFile } from './file-hash.js';
import { hashGuestView } from './guest-view.js';
import { qemuImg, qemuImgVersion } from './qemu-img.js';
import { isUntouched, readRecord, recordedSource, sameSource, writeRecord, type ConversionRecord } from './record.js';
import { regularFile, type CheckedSource } from './source.js';
import type { ConvertRequest, ConvertedImage } from './types.js';

/**
 * Converts a local disk image to raw or qcow2 and proves the result: `qemu-img compare` with the source, `qemu-img
 * check` for qcow2, and the content hash read back from what was written (which must be `expectedContentHash` where
 * that is given). The output appears under its name only when all of this holds. Done once: an output that an earlier
 * call made of the same source is given again, after its bytes were read and are still those that were proved.
 *
 * Errors: those of {@link checkSource}, `converter.no_qemu_img`, `converter.space`, `convert.failed`,
 * `convert.content_differs`, `convert.source_changed`, `convert.file_exists`.
 */
export async function convertImage(request: ConvertRequest): Promise<ConvertedImage> {
  return withChecked(request, async (output, checked) => {
    const earlier = await earlierRecord(request, output, checked);
    if (earlier) {
      if (earlier.isNew) await writeRecord(output, earlier.record);
      return result(output, earlier.record, request, true);
    }
    await prepareFolder(output, checked);
    return convert(request, output, checked);
  });
}

/**
 * Looks at all that {@link convertImage} looks at before it writes, and writes nothing: for a dry run. `reused` tells
 * that an earlier call has made the output.
 * @throws the errors of `convertImage` that need no conversion to be found.
 */
export async function checkConversion(request: ConvertRequest): Promise<{ reused: boolean }> {
  return withChecked(request, async (output, checked) => {
    await qemuImgVersion(request.ctx);
    if (await earlierRecord(request, output, checked)) return { reused: true };
    await assertRoom(output, checked);
    return { reused: false };
  });
}

async function withChecked<T>(
  request: ConvertRequest,
  work: (output: string, checked: CheckedSource) => Promise<T>,
): Promise<T> {
  if (request.compress && request.outputFormat !== 'qcow2') {
    throw new UsageError('Only a qcow2 image can be compressed.', 'Ask for qcow2, or leave the compression out.');
  }
  const output = resolve(request.outputPath);
  const workDir = await mkdtemp(join(tmpdir(), 'stackferry-'));
  try {
    const checked = await checkSource(resolve(request.source), request.sourceFormat, workDir, request.ctx);
    await refuseOverwrite(output, checked);
    return await work(output, checked);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function refuseOverwrite(output: string, checked: CheckedSource): Promise<void> {
  const real = await realpath(output).catch(() => output);
  if (checked.files.some(({ path }) => path === real)) {
    throw new UsageError(`The output ${output} is a file of the source itself.`, 'Choose another name or folder.');
  }
}

/** What an earlier call has noted of this very output, if it may be given again; `isNew` where a digest was added. */
async function earlierRecord(
  request: ConvertRequest,
  output: string,
  checked: CheckedSource,
): Promise<{ record: ConversionRecord; isNew: boolean } | null> {
  const stats = await lstat(output).catch(() => null);
  if (!stats) return null;
  const record = await readRecord(output);
  const ours = record !== null && (await isUntouched(output, record));
  const mayReplace = stats.isFile() && (request.force === true || request.replace === true);
  if (!ours && !mayReplace) throw notOurs(output);
  const { outputFormat, compress = false, expectedContentHash } = request;
  if (!ours || request.force || record.format !== outputFormat || record.compress !== compress) return null;
  if (!sameSource(record.source, recordedSource(checked.files))) return null;
  if (expectedContentHash && record.content_hash !== expectedContentHash) return null;
  if (outputFormat === 'qcow2' && record.file_sha512 === null) return null;
  const seen = await readAgain(request, output, record);
  if (seen === null) {
    if (mayReplace) return null;
    throw notOurs(output);
  }
  const sha256 = record.sha256 ?? seen.sha256;
  return { record: { ...record, sha256 }, isNew: sha256 !== record.sha256 };
}

/** Reads the output of an earlier call. Null where its bytes are not those that were proved then. */
async function readAgain(
  request: ConvertRequest,
  output: string,
  record: ConversionRecord,
): Promise<{ sha256: string | null } | null> {
  const { ctx, outputFormat } = request;
  const sha256 = request.sha256 === true && record.sha256 === null;
  return progress(ctx, `look at ${basename(output)} again`, output, record.output.bytes, async (_, onBytes) => {
    if (outputFormat === 'qcow2' && (await hashFile(output, ctx, onBytes)) !== record.file_sha512) return null;
    if (outputFormat === 'qcow2' && !sha256) return { sha256: null };
    const hashed = await hashGuestView(output, outputFormat, ctx, onBytes, { sha256 });
    return hashed.contentHash === record.content_hash ? { sha256: hashed.sha256 } : null;
  });
}

function notOurs(output: string): StackferryError {
  return new StackferryError(
    'convert.file_exists',
    `${output} is there already, and it is not (or no longer) what this command made.`,
    { hint: 'Choose another place with --output DIR, or write over it with --force.' },
  );
}

function result(path: string, record: ConversionRecord, request: ConvertRequest, reused: boolean): ConvertedImage {
  return {
    path,
    format: record.format,
    capacityBytes: record.capacity_bytes,
    bytes: record.output.bytes,
    contentHash: record.content_hash,
    sha256: request.sha256 ? record.sha256 : null,
    fileSha512: record.file_sha512,
    reused,
  };
}

async function prepareFolder(output: string, checked: CheckedSource): Promise<void> {
  try {
    await makeFolders(dirname(output));
  } catch (error) {
    throw await writeError(dirname(output), 0, error);
  }
  await rm(`${output}.part`, { force: true });
  await assertRoom(output, checked);
}

/** What the source takes here bounds what the output will take (zeros stay holes). */
async function assertRoom(output: string, checked: CheckedSource): Promise<void> {
  const allocated = checked.files.reduce((sum, file) => sum + Math.min(file.bytes, file.allocatedBytes), 0);
  // Formats that deflate their data may grow when they are unpacked; then the error comes from the copy itself.
  const needed = Math.min(allocated, checked.capacityBytes ?? allocated);
  const free = await freeBytes(dirname(output));
  if (needed > free) {
    throw new StackferryError(
      'converter.space',
      `${dirname(output)} has ${formatBytes(free)} free; the image needs about ${formatBytes(needed)}.`,
      {
        hint: 'Free space there or choose another place with --output DIR.',
        details: { path: dirname(output), needed_bytes: needed, free_bytes: free },
      },
    );
  }
}

async function convert(request: ConvertRequest, output: string, checked: CheckedSource): Promise<ConvertedImage> {
  const { ctx, outputFormat, compress = false, sourceFormat } = request;
  const part = `${output}.part`;
  const name = basename(output);
  const size = checked.capacityBytes ?? 0;
  try {
    await progress(ctx, `convert ${name}`, output, size, (onPercent) =>
      qemuImg(
        ['convert', '-p', '-f', checked.format, '-O', outputFormat, ...(compress ? ['-c'] : []), checked.path, part],
        ctx,
        { what: `convert ${request.source}`, onPercent },
      ),
    );
    await flush(part);
    // Before the proofs: what is written to the file later, while it is proved or after, then has another digest.
    const fileSha512 =
      outputFormat === 'qcow2'
        ? await progress(ctx, `read ${name}`, output, (await lstat(part)).size, (_, onBytes) =>
            hashFile(part, ctx, onBytes),
          )
        : null;
    await progress(ctx, `compare ${name}`, output, size, (onPercent) => compare(request, checked, part, onPercent));
    if (outputFormat === 'qcow2') await qemuImg(['check', '-f', 'qcow2', part], ctx, { what: `check ${output}` });
    const hashed = await progress(ctx, `hash ${name}`, output, size, (_, onBytes) =>
      hashGuestView(part, outputFormat, ctx, onBytes, {
        sha256: request.sha256 ?? false,
        ...(request.onChunk === undefined ? {} : { onChunk: request.onChunk }),
      }),
    );
    checkHash(request, output, hashed);
    await checkUnchanged(checked);
    await rename(part, output);
    const folder = await open(dirname(output), 'r');
    await folder.sync().finally(() => folder.close());
    const stats = await lstat(output);
    const record: ConversionRecord = {
      version: 1,
      source: recordedSource(checked.files),
      output: { bytes: stats.size, mtime_ms: stats.mtimeMs },
      format: outputFormat,
      compress,
      capacity_bytes: hashed.bytes,
      content_hash: hashed.contentHash,
      sha256: hashed.sha256,
      file_sha512: fileSha512,
    };
    await writeRecord(output, record);
    ctx.log.debug('converted', { source: request.source, sourceFormat: sourceFormat ?? checked.format, output });
    return result(output, record, request, false);
  } catch (error) {
    // A half image is of no use to a later run, and its space may be what is missing.
    await rm(part, { force: true });
    throw error instanceof StackferryError ? error : await writeError(output, 0, error);
  }
}

/** Runs one pass and tells it as bytes of the disk. */
async function progress<T>(
  ctx: Context,
  label: string,
  output: string,
  total: number,
  work: (onPercent: (percent: number) => void, onBytes: (done: number) => void) => Promise<T>,
): Promise<T> {
  const task = `${label} ${output}`;
  const start = ctx.clock.now();
  let done = 0;
  let ok = false;
  const onBytes = (bytes: number) => {
    done = Math.min(total, bytes);
    ctx.events.emit({ kind: 'bytes.progress', task, done, total });
  };
  ctx.events.emit({ kind: 'bytes.started', task, label, total, done: 0 });
  try {
    const outcome = await work((percent) => onBytes(Math.round((total * percent) / 100)), onBytes);
    done = total;
    ok = true;
    return outcome;
  } finally {
    ctx.events.emit({ kind: 'bytes.finished', task, done, seconds: (ctx.clock.now() - start) / 1000, ok });
  }
}

async function compare(
  request: ConvertRequest,
  checked: CheckedSource,
  part: string,
  onPercent: (percent: number) => void,
): Promise<void> {
  const args = ['compare', '-p', '-f', checked.format, '-F', request.outputFormat, checked.path, part];
  const what = `compare ${request.source} with the result`;
  const { exitCode } = await qemuImg(args, request.ctx, { what, onPercent, expected: [1] });
  if (exitCode === 1) throw differs(request, 'qemu-img compare finds other bytes in it');
}

function differs(request: ConvertRequest, why: string): StackferryError {
  return new StackferryError(
    'convert.content_differs',
    `The image made of ${request.source} is not its copy: ${why}.`,
    {
      hint: 'Run it again; if it stays, check this machine’s disk and memory, and export the disk again.',
    },
  );
}

function checkHash(request: ConvertRequest, output: string, { contentHash }: { contentHash: string }): void {
  const { expectedContentHash } = request;
  if (!expectedContentHash || expectedContentHash === contentHash) return;
  throw differs(request, `${output} has ${contentHash}, the disk as it was read has ${expectedContentHash}`);
}

async function checkUnchanged(checked: CheckedSource): Promise<void> {
  for (const file of checked.files) {
    const now = await regularFile(file.path, null);
    if (now.bytes === file.bytes && now.mtimeMs === file.mtimeMs) continue;
    throw new StackferryError('convert.source_changed', `${file.path} changed while it was converted.`, {
      hint: 'See that nothing writes to it, and run it again.',
    });
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}
