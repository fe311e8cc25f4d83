import { execa } from 'execa';
import { systemCode, throwIfAborted, type Context } from '../core/index.js';
import { missingTool, qemuImg } from './qemu-img.js';

/**
 * The image formats that qemu-img of this machine knows, as `qemu-img --help` lists them: distributions leave some out.
 * Throws `converter.no_qemu_img`.
 */
export async function qemuFormats(ctx: Context): Promise<string[]> {
  const { stdout } = await qemuImg(['--help'], ctx, { what: 'list its formats' });
  return formatsIn(stdout);
}

/** The words behind `Supported formats:`, which may go on over several lines. */
export function formatsIn(help: string): string[] {
  const list = /^Supported formats:([\s\S]*?)(?:\r?\n\s*\r?\n|$(?![\s\S]))/m.exec(help)?.[1] ?? '';
  return list.split(/\s+/).filter((word) => word !== '');
}

/** Makes sure that qemu-nbd, which reads images as the guest sees them, is there. Throws `converter.no_qemu_img`. */
export async function assertQemuNbd(ctx: Context): Promise<void> {
  throwIfAborted(ctx.signal);
  const ended = await execa('qemu-nbd', ['--version'], { cancelSignal: ctx.signal, reject: false, stdin: 'ignore' });
  throwIfAborted(ctx.signal);
  if (ended.exitCode === undefined && systemCode(ended.cause ?? ended) === 'ENOENT') throw missingTool('qemu-nbd');
}
