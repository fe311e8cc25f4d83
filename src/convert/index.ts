/** Images on this machine: sources checked before qemu-img sees them, conversions that are proved. */
export type { ConvertedImage, ConvertRequest, SourceFormat } from './types.js';
export { checkConversion, convertImage } from './convert-image.js';
export { checkSource } from './check-source.js';
export { openGuestDisk, type GuestDisk } from './guest-disk.js';
export { hashImage, type GuestViewHash } from './guest-view.js';
export { judgeImage } from './judge-image.js';
export { qemuImgVersion } from './qemu-img.js';
export { assertQemuNbd, qemuFormats } from './qemu-tools.js';
export {
  PieceGuard,
  encodeQcow2,
  encodeRaw,
  imageEncoders,
  type EncodedImage,
  type EncodeRequest,
  type ImageEncoder,
  type ImageFormat,
  type ImageRun,
  type Qcow2Request,
} from './encode/index.js';
