import type { Context } from '../core/index.js';
import type { OnChunk } from '../disk/index.js';

type OutputFormat = 'raw' | 'qcow2';
/** qemu-img's names of what a local image can be. `vpc` is VHD. */
export type SourceFormat = 'vmdk' | 'raw' | 'qcow2' | 'vpc' | 'vhdx' | 'vdi';

export interface ConvertRequest {
  /** A VMDK descriptor (its extents and parents beside it), or a single image file. */
  source: string;
  /** Where unset it is told from the content; raw only when asked for or named `.raw`, `.img`. */
  sourceFormat?: SourceFormat;
  outputPath: string;
  outputFormat: OutputFormat;
  /** qcow2 only: compressed clusters. */
  compress?: boolean;
  /** Also give the SHA-256 of the whole content as the guest sees it. */
  sha256?: boolean;
  /** The source's content hash where it is known (from the export): the result must have the same. */
  expectedContentHash?: string | null;
  /** Convert again though the output is there and proved. */
  force?: boolean;
  /** The folder is the caller's own: a file there that is not what was made before (any more) gives way. */
  replace?: boolean;
  /** Told of every chunk as it is read back from the output; not where an earlier output is given again. */
  onChunk?: OnChunk;
  ctx: Context;
}

export interface ConvertedImage {
  /** Absolute. */
  path: string;
  format: OutputFormat;
  /** The disk's size as the guest sees it. */
  capacityBytes: number;
  /** Size of the file. */
  bytes: number;
  /** `sha256-4m:…` of the guest's view, read back from the output. */
  contentHash: string;
  /** SHA-256 of the whole content as the guest sees it (of a raw file: of the file), where asked for. */
  sha256: string | null;
  /** SHA-512 of the bytes of a qcow2 file as it was proved; null for raw, which `contentHash` says all of. */
  fileSha512: string | null;
  /** True when an earlier run's output was found and still stands. */
  reused: boolean;
}
