import { connect } from 'node:net';
import { execa } from 'execa';
import { StackferryError, type Context } from '../../core/index.js';

/** How long a connection must last to count, in milliseconds, unless the other side says something at once. */
const HELD_MS = 500;
const CONNECT_MS = 3_000;

/**
 * Whether something takes connections at that port and keeps them. What stands between (a proxy, a NAT, a load
 * balancer) may take them in the guest's stead, and as a rule drops them at once when it finds nobody behind it: so one
 * that is dropped unspoken does not count. More than that is not proved: not who answers, nor that it works.
 */
export function acceptsTcp(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    let held: NodeJS.Timeout | undefined;
    const end = (answer: boolean) => {
      clearTimeout(held);
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => {
      held = setTimeout(() => end(true), HELD_MS);
    });
    socket.once('data', () => end(true));
    for (const event of ['end', 'error', 'timeout', 'close'] as const) socket.on(event, () => end(false));
  });
}

/** Whether an address answers one ICMP echo within two seconds. */
export async function answersPing(ip: string, ctx: Pick<Context, 'signal'>): Promise<boolean> {
  const result = await execa('ping', ['-c', '1', '-W', '2', ip], {
    reject: false,
    timeout: 5_000,
    cancelSignal: ctx.signal,
  });
  if (result.exitCode === undefined && !result.isCanceled && !result.timedOut) {
    throw new StackferryError('converter.no_ping', 'The program ping is not installed here.', {
      hint: 'apt-get install iputils-ping, or use --wait-for tcp:PORT.',
    });
  }
  return result.exitCode === 0;
}
