/** Images on this machine: sources checked before qemu-img sees them, conversions that are proved. */
export type { ConvertRequest, ConvertedImage, OutputFormat, SourceFormat } from './types.js';
