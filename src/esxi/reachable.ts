import { connect } from 'node:net';
import { StackferryError, throwIfAborted } from '../core/index.js';

/** A port that does not answer by then is not waited for: there is another door. */
const CONNECT_MS = 5000;

/** Throws `esxi.unreachable` unless something takes connections there. Nothing is sent, nothing is tried again. */
export async function assertReachable(target: { host: string; port: number }, signal: AbortSignal): Promise<void> {
  const { host, port } = target;
  const isReachable = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, signal });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_MS, () => {
      end(false);
    });
    socket.once('connect', () => {
      end(true);
    });
    socket.on('error', () => {
      end(false);
    });
  });
  throwIfAborted(signal);
  if (isReachable) return;
  throw new StackferryError('esxi.unreachable', `Nothing answers at port ${port} of ${host}, where its API would be.`, {
    hint: 'Check address and port (--esxi HOST:PORT) and the firewalls between.',
    details: { host, port },
  });
}
