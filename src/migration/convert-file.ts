import { basename, dirname, extname, join } from 'node:path';
import { checkConversion, convertImage, type ConvertRequest, type SourceFormat } from '../convert/index.js';
import type { Context } from '../core/index.js';
import { roomUnder } from './converter-facts.js';
import { convertResultOf, type ConvertResult } from './steps/convert.js';
import type { PlannedCall } from './steps/step.js';

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
function convertTarget({ file, outputDir, format }: Pick<ConvertFileRequest, 'file' | 'outputDir' | 'format'>): string {
  return join(outputDir ?? dirname(file), `${basename(file, extname(file))}.${format}`);
}

/** Converts a file of the user's, outside any run. */
export async function convertFile(ctx: Context, request: ConvertFileRequest): Promise<Omit<ConvertResult, 'mtime_ms'>> {
  const name = basename(request.file, extname(request.file));
  return convertResultOf(name, await convertImage(conversionOf(ctx, request)));
}

/**
 * What {@link convertFile} would write; nothing where it is there already. Looks at what it looks at, and writes nothing.
 * @throws as it does, before it would write.
 */
export async function planConvertFile(ctx: Context, request: ConvertFileRequest): Promise<PlannedCall[]> {
  const { reused } = await checkConversion(conversionOf(ctx, request));
  if (reused) return [];
  const path = convertTarget(request);
  await roomUnder(dirname(path), 'Choose another place with --output DIR.');
  const body = `${request.format} image of ${request.file}`;
  return [{ step: 'convert', service: 'local', method: 'WRITE', path, body }];
}

function conversionOf(ctx: Context, request: ConvertFileRequest): ConvertRequest {
  return {
    source: request.file,
    ...(request.sourceFormat === undefined ? {} : { sourceFormat: request.sourceFormat }),
    outputPath: convertTarget(request),
    outputFormat: request.format,
    compress: request.compress,
    sha256: request.sha256,
    force: request.force,
    ctx,
  };
}
