/** Nova: POST /servers/ID/action. */
import { Refusal, type Call, type Reply, type Route } from '../http.js';
import type { Server } from '../state.js';
import { isObject, objectIn } from '../values.js';
import { consoleLog } from './console.js';
import { isAction } from './flavors.js';
import { deleteServer, rebootServer, startServer, stopServer } from './lifecycle.js';
import { serverOf } from './servers.js';

type Action = (call: Call, server: Server) => Reply | Promise<Reply>;

async function console(call: Call, server: Server): Promise<Reply> {
  const argument = objectIn(call.body, 'os-getConsoleOutput') ?? {};
  const length = argument['length'] ?? null;
  if (length !== null && !(typeof length === 'number' || (typeof length === 'string' && /^-?\d+$/.test(length)))) {
    throw new Refusal(400, `Invalid input for field/attribute length. Value: ${JSON.stringify(length)}.`);
  }
  // Control characters are left out, as the real API does (console_output.py).
  const text = (await consoleLog(call.core, server)).replace(/[\x00-\x08\x0b-\x1f]/g, '');
  const lines = text.split('\n');
  const wanted = length === null || Number(length) < 0 ? lines.length : Number(length);
  return { status: 200, body: { output: wanted === 0 ? '' : lines.slice(-wanted).join('\n') } };
}

const accepted = (act: (call: Call, server: Server) => void): Action => {
  return (call, server) => {
    act(call, server);
    return { status: 202 };
  };
};

const ACTIONS: Record<string, Action> = {
  'os-getConsoleOutput': console,
  'os-stop': accepted((call, server) => stopServer(call.core, server)),
  'os-start': accepted((call, server) => startServer(call.core, server)),
  reboot: accepted((call, server) => rebootServer(call.core, server)),
  forceDelete: (call, server) => {
    deleteServer(call.core, server);
    return { status: 204 };
  },
};

export const actionRoutes: Route[] = [
  {
    method: 'POST',
    pattern: '/v2.1/servers/:id/action',
    handle: (call) => {
      const server = serverOf(call);
      if (!isAction(call.body))
        throw new Refusal(400, isObject(call.body) ? 'Multiple actions specified' : 'Malformed request body');
      const name = Object.keys(call.body)[0] ?? '';
      const action = ACTIONS[name];
      if (!action) throw new Refusal(400, `There is no such action: ${name}`);
      return action(call, server);
    },
  },
];
