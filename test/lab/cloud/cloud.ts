import type { CloudOptions, EmbeddedCloud } from './types.js';

/** Starts the embedded cloud with its seed (or the state of an earlier run). */
export function startCloud(options: CloudOptions): Promise<EmbeddedCloud> {
  return Promise.reject(new Error(`the embedded cloud for ${options.directory} is being written`));
}
