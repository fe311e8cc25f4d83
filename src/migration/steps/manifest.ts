import { join } from 'node:path';
import { ChunkManifest, ChunkMarks, type ManifestOf, type OnChunk } from '../../disk/index.js';
import { diskFolder } from '../../esxi/export/index.js';
import type { RunContext } from './step.js';

/** Where the digests of a disk's chunks are kept: a manifest for each disk, in the run's own folder. */
export function manifestPath(rc: Pick<RunContext, 'dir'>, label: string): string {
  return join(rc.dir, `chunks-${diskFolder(label)}`);
}

/** Collects the digests of a disk that is read from its first byte to its last, for its manifest. */
export class ManifestNotes {
  readonly #path: string;
  readonly #of: ManifestOf;
  readonly #marks: ChunkMarks;

  constructor(rc: Pick<RunContext, 'dir'>, label: string, of: ManifestOf) {
    this.#path = manifestPath(rc, label);
    this.#of = of;
    this.#marks = new ChunkMarks(of.capacityBytes);
  }

  /** For whoever hashes: each chunk in order, those of zeros may be left out. */
  readonly note: OnChunk = (index, digest) => {
    this.#marks.note(index, digest);
  };

  /** Once the whole disk was hashed: the manifest is on disk when this has settled. */
  async keep(): Promise<void> {
    this.#marks.noteRest();
    await ChunkManifest.write(this.#path, this.#of, this.#marks);
  }
}
