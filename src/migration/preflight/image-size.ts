import { TIB, formatBytes } from '../../core/index.js';
import type { PreflightWarning } from './warning.js';

/** Glance's default of `image_size_cap`, in bytes. Its API does not tell which cap an operator has set. */
const DEFAULT_IMAGE_CAP = TIB;

/** Warns of a disk whose image may be larger than the cloud takes. `capacityBytes` is the size that the guest sees. */
export function checkImageSize(label: string, capacityBytes: number): PreflightWarning | null {
  if (capacityBytes <= DEFAULT_IMAGE_CAP) return null;
  return {
    code: 'cloud.image_too_large',
    message: `Disk ${label} has ${formatBytes(capacityBytes)}; Glance takes images of at most ${formatBytes(DEFAULT_IMAGE_CAP)} unless its operator has raised image_size_cap.`,
    hint: 'Ask the operator for the cap. --image-format qcow2 sends only what the disk holds, which is often below it.',
  };
}
