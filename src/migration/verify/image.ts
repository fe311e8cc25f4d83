import { CHUNK_BYTES, ChunkMarks, DigestThread, DiskHasher } from '../../disk/index.js';
import type { DigestName } from '../../openstack/index.js';
import { withProgress } from '../steps/progress.js';
import type { ImageResult } from '../steps/image.js';
import type { RunContext } from '../steps/step.js';
import { compared, differs, notVerified, type Check, type Expected, type Subject } from './check.js';

const DIGESTS: readonly string[] = ['md5', 'sha256', 'sha512'] satisfies DigestName[];

/**
 * Reads an image back from Glance as a stream: its digest is compared with the one that was proved when it was sent, of
 * a raw image the disk's chunks as well. What Glance shows of it is compared too: some stores answer from there.
 */
export async function checkImage(
  rc: RunContext,
  image: ImageResult & { capacity_bytes: number },
  subject: Subject,
  expected: Expected,
): Promise<Check> {
  const { images } = await rc.cloud();
  const there = await images.find(image.image_id);
  if (there?.status !== 'active') {
    const why = there ? `it is ${there.status} in Glance` : 'it is no longer in Glance';
    return notVerified(subject, why, 'It was deleted or hidden since; its volume, if there is one, may still be good.');
  }
  const size = there.size ?? image.bytes;
  const format = there.disk_format ?? 'unknown';
  const algorithm = DIGESTS.find((name) => name === image.hash_algorithm) as DigestName | undefined;
  const raw = format === 'raw' ? new RawImage(image.capacity_bytes) : null;
  const thread = new DigestThread<DigestName>(algorithm === undefined ? [] : [algorithm]);
  try {
    const task = { task: `verify:${image.image_id}`, label: `read image of ${image.label}`, total: size };
    await withProgress(rc, task, async (onBytes) => {
      for await (const chunk of images.download(image.image_id, size)) {
        await Promise.all([thread.update(chunk), raw?.take(chunk)]);
        onBytes(chunk.length);
      }
    });
    const digest = algorithm === undefined ? null : (await thread.digest())[algorithm];
    const contentHash = raw === null ? null : await raw.contentHash();
    const capacityBytes = image.capacity_bytes;
    const check = compared(subject, { capacityBytes, contentHash, marks: raw?.marks ?? null, format }, expected);
    if (check.state === 'differs' || digest === null) return check;
    const shown = there.os_hash_algo === algorithm ? there.os_hash_value : algorithm === 'md5' ? there.checksum : null;
    const by = `${algorithm ?? ''} of the image`;
    const sized = size === image.bytes ? null : `it has ${size} bytes, and ${image.bytes} were sent`;
    if (sized !== null) return differs({ ...check, compared: by }, sized);
    if (image.hash_value === null) return check;
    if (digest !== image.hash_value)
      return differs({ ...check, compared: by }, `its ${algorithm ?? ''} is not that of what was sent`);
    if (shown && shown !== image.hash_value) {
      return differs(
        { ...check, compared: by },
        `Glance shows another ${algorithm ?? ''} than it did when it was sent`,
      );
    }
    return { ...check, state: 'equal', compared: check.state === 'equal' ? `content hash, ${by}` : by };
  } finally {
    await Promise.all([thread.close(), raw?.close()]);
  }
}

/** The chunks of a disk out of its raw image, which comes in pieces of any length. */
class RawImage {
  readonly marks: ChunkMarks;
  readonly #capacityBytes: number;
  readonly #hasher: DiskHasher;
  #at = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.marks = new ChunkMarks(capacityBytes);
    this.#hasher = new DiskHasher(capacityBytes, (index, digest) => {
      this.marks.note(index, digest);
    });
  }

  async take(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length && this.#at < this.#capacityBytes;) {
      const room = Math.min(CHUNK_BYTES - (this.#at % CHUNK_BYTES), this.#capacityBytes - this.#at);
      const piece = bytes.subarray(done, done + room);
      await this.#hasher.update({ offset: this.#at, bytes: piece });
      this.#at += piece.length;
      done += piece.length;
    }
  }

  /** Null where the image ended before the disk does. */
  async contentHash(): Promise<string | null> {
    const hash = await this.#hasher.digest();
    this.marks.noteRest();
    return this.#at === this.#capacityBytes ? hash : null;
  }

  close(): Promise<void> {
    return this.#hasher.close();
  }
}
