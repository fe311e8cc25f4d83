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

/** Where the image of a file comes to lie (absolute). */
export function convertTarget({
  file,
  outputDir,
  format,
}: Pick<ConvertFileRequest, 'file' | 'outputDir' | 'format'>): string {
  return join(outputDir ?? dirname(file), `${basename(file, extname(file))}.${format}`);
}

/** Converts a file of the user's, outside any run. */
export async function convertFile(ctx: Context, request: ConvertFileRequest): Promise<Omit<ConvertResult, 'mtime_ms'>> {
  const name = basename(request.file, extname(request.file));
  const converted = await convertImage({
    source: request.file,
    ...(request.sourceFormat === undefined ? {} : { sourceFormat: request.sourceFormat }),
    outputPath: convertTarget(request),
    outputFormat: request.format,
    compress: request.compress,
    sha256: request.sha256,
    force: request.force,
    ctx,
  });
  return convertResultOf(name, converted);
}
