import { UsageError } from '../../core/index.js';
import { formatWaitFor, type WaitFor } from './options.js';

/**
 * What proves the boot. Ping and TCP need an address, so a server without ports is refused before anything is made.
 * `ports` is undefined where they are not resolved yet.
 */
export function resolveBoot(waitFor: WaitFor, ports: readonly unknown[] | undefined): { wait_for: WaitFor } {
  if ((waitFor.type === 'ping' || waitFor.type === 'tcp') && ports?.length === 0) {
    throw new UsageError(
      `--wait-for ${formatWaitFor(waitFor)} needs an address, and the server gets no port.`,
      'Use --wait-for console or --wait-for active.',
    );
  }
  return { wait_for: waitFor };
}
