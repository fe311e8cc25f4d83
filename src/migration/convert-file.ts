import { basename, dirname, extname, join } from 'node:path';
import { convertImage, type SourceFormat } from '../convert/index.js';
import type { Context } from '../core/index.js';
import { convertResultOf, type ConvertResult } from './steps/convert.js';

export interface ConvertFileRequest {
  /** Absolute. */
  file: string;
  outputDir?: string;
  format: 'raw' | 'qcow2';
  sourceFormat?: SourceFormat;
  compress: boolean;
  sha256: boolean;
  force: boolean;
}

/** Converts a file of the user's, outside any run. */
export async function convertFile(ctx: Context, request: ConvertFileRequest): Promise<Omit<ConvertResult, 'mtime_ms'>> {
  const name = basename(request.file, extname(request.file));
  const converted = await convertImage({
    source: request.file,
    ...(request.sourceFormat === undefined ? {} : { sourceFormat: request.sourceFormat }),
    outputPath: join(request.outputDir ?? dirname(request.file), `${name}.${request.format}`),
    outputFormat: request.format,
    compress: request.compress,
    sha256: request.sha256,
    force: request.force,
    ctx,
  });
  return convertResultOf(name, converted);
}
