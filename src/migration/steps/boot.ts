import { z } from 'zod';
import { StackferryError, poll } from '../../core/index.js';
import { formatWaitFor, type WaitFor } from '../plan/options.js';
import { judgeConsole, type ConsoleVerdict } from './console.js';
import { portResult } from './port.js';
import { acceptsTcp, answersPing } from './reach.js';
import { serverResult } from './server.js';
import { needSection, section, type RunContext, type Step } from './step.js';

export const bootResult = z.object({ proved: z.boolean(), by: z.string(), seen: z.string() });

/** Waits until the guest is seen to have booted; `active` asks for no proof. */
export function bootStep(state: RunContext['state']): Step {
  const planned = needSection(state, 'server');
  const wait = needSection(state, 'boot').wait_for;
  return {
    key: 'boot',
    kind: 'boot',
    subject: `server ${planned.name}`,
    needs: ['server'],
    run: async (rc) => {
      if (wait.type === 'active') {
        return { result: { proved: false, by: 'active', seen: '' }, summary: 'boot not proved (--wait-for active)' };
      }
      const seen =
        wait.type === 'console' ? await waitConsole(rc, planned.name) : await waitNetwork(rc, wait, planned.name);
      const result: z.infer<typeof bootResult> = { proved: true, by: formatWaitFor(wait), seen };
      return { result, summary: wait.type === 'console' ? `console: "${seen}"` : seen };
    },
  };
}

async function waitConsole(rc: RunContext, name: string): Promise<string> {
  const cloud = await rc.cloud();
  const id = serverResult.parse(rc.state.steps.get('server')?.result).server_id;
  const look = async (): Promise<ConsoleVerdict & { powered: boolean }> => {
    const log = await cloud.servers.consoleLog(id, 200);
    const server = await cloud.servers.get(id);
    return { ...judgeConsole(log ?? ''), powered: server.status === 'ACTIVE' };
  };
  const verdict = await notProved(rc, name, 'its console showed no login prompt', () =>
    poll(rc.ctx, {
      task: `boot:${id}`,
      label: `the login prompt of ${name}`,
      timeoutMs: rc.settings.timeouts.consoleMs,
      intervalMs: 3_000,
      timeout: { code: 'boot.not_proved', hint: '' },
      look,
      done: (seen) => {
        if (!seen.powered) {
          throw new StackferryError('boot.failed', `Server ${name} is no longer ACTIVE; it did not stay up.`, {
            hint: `See: openstack console log show ${id}`,
          });
        }
        return seen.seen !== 'nothing';
      },
      describe: (seen) => ({ state: seen.line === '' ? 'silent' : `at "${seen.line.slice(0, 60)}"` }),
    }),
  );
  if (verdict.seen !== 'failure') return verdict.line;
  throw new StackferryError('boot.failed', `Server ${name} is ACTIVE, but its guest did not boot: "${verdict.line}".`, {
    hint: `${verdict.hint} The volumes are kept; undo all with: stackferry rollback ${rc.run}`,
  });
}

/** Tries the addresses of the server's ports in the guest's order, from here: a floating IP is not among them. */
async function waitNetwork(
  rc: RunContext,
  wait: Exclude<WaitFor, { type: 'active' | 'console' }>,
  name: string,
): Promise<string> {
  const ips = (section(rc.state, 'ports') ?? []).flatMap(
    (port) => portResult.parse(rc.state.steps.get(`port:${port.label}`)?.result).ip_addresses,
  );
  if (ips.length === 0) {
    throw new StackferryError('boot.not_proved', `Server ${name} is ACTIVE, boot not proved: it has no address.`, {
      hint: 'Use --wait-for console or --wait-for active.',
    });
  }
  const what = wait.type === 'ping' ? 'ping' : `TCP port ${wait.port}`;
  const seen = await notProved(rc, name, `${what} of ${ips.join(', ')} did not answer here`, () =>
    poll(rc.ctx, {
      task: `boot:${name}`,
      label: `${what} of ${name}`,
      timeoutMs: rc.settings.timeouts.consoleMs,
      intervalMs: 2_000,
      timeout: { code: 'boot.not_proved', hint: '' },
      look: async () => {
        for (const ip of ips) {
          if (wait.type === 'ping' ? await answersPing(ip, rc.ctx) : await acceptsTcp(ip, wait.port)) return ip;
        }
        return null;
      },
      done: (ip) => ip !== null,
      describe: () => ({ state: 'silent' }),
    }),
  );
  return wait.type === 'ping'
    ? `answers ping at ${seen ?? ''}`
    : `port ${wait.port} accepts connections at ${seen ?? ''}`;
}

/** The wait's time-out becomes `boot.not_proved`: the server runs, and nobody has seen its guest. */
async function notProved<T>(rc: RunContext, name: string, why: string, wait: () => Promise<T>): Promise<T> {
  try {
    return await wait();
  } catch (error) {
    if (!(error instanceof StackferryError) || error.code !== 'boot.not_proved') throw error;
    throw new StackferryError(
      'boot.not_proved',
      `Server ${name} is ACTIVE, boot not proved: ${why} within ${rc.settings.timeouts.consoleMs / 1000} s.`,
      {
        hint: `Look at its console. If it is up: stackferry migrate --resume --run ${rc.run} --wait-for active. More time: --timeout-console SECONDS.`,
      },
    );
  }
}
