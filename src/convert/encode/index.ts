/** Images written front to back in one pass, without a scratch file: what is data is known before the first byte. */
import { encodeQcow2 } from './qcow2.js';
import { encodeRaw } from './raw.js';
import type { ImageEncoder, ImageFormat } from './types.js';

export { encodeQcow2, type Qcow2Request } from './qcow2.js';
export { PieceGuard } from './piece-guard.js';
export { encodeRaw } from './raw.js';
export type { EncodedImage, EncodeRequest, ImageEncoder, ImageFormat, ImageRun } from './types.js';

/** The formats that can be written in one pass. */
export const imageEncoders: Readonly<Record<ImageFormat, ImageEncoder>> = { raw: encodeRaw, qcow2: encodeQcow2 };
