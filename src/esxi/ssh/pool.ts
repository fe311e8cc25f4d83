import { StackferryError, type Context } from '../../core/index.js';
import type { SshShell, SshTarget } from './target.js';

/** Connects and authenticates. */
export function openShell(target: SshTarget, ctx: Context): Promise<SshShell> {
  ctx.log.debug('ssh', { host: target.host });
  return Promise.reject(new StackferryError('esxi.unreachable', `${target.host}: not connected.`));
}
