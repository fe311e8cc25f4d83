/**
 * The cloud's own API under `/lab`, for tests that drive it as another process. No token; it listens on loopback only.
 *
 *     POST   /lab/faults         {match, action} or a list of them
 *     DELETE /lab/faults
 *     GET    /lab/requests       DELETE forgets them
 *     GET    /lab/inventory      ?project=NAME
 *     PATCH  /lab/settings       some of CloudSettings; GET shows them
 *     PATCH  /lab/quotas/NAME    some of Quotas of a project
 *     POST   /lab/expire-tokens
 *     GET    /lab/volumes/ID     {path}: where the bytes lie
 *     GET    /lab/settled        answers when no background work is under way
 */
import type { Faults } from './faults.js';
import { Refusal, param, type Call, type Service } from './http.js';
import { inventoryOf } from './inventory.js';
import type { Fault, LoggedRequest } from './types.js';
import { isObject, objectIn, type Json } from './values.js';

const ACTIONS = [
  'status',
  'reset',
  'stall',
  'cut-response',
  'cut-upload',
  'flip-upload',
  'refuse-upload',
  'expire-tokens',
];

/** @throws Refusal 400 for what is no fault */
export function faultOf(value: unknown): Fault {
  const match = objectIn(value, 'match');
  const action = objectIn(value, 'action');
  if (!match || !action || !ACTIONS.includes(String(action['kind']))) {
    throw new Refusal(400, `a fault is {match, action} with action.kind one of ${ACTIONS.join(', ')}`);
  }
  // Looked at by hand, then trusted: this side of the API is ours.
  return value as Fault;
}

/** Lays the keys of `change` over `target`, objects within objects too; unknown keys are refused. */
export function merge(target: object, change: Json): void {
  for (const [key, value] of Object.entries(change)) {
    if (!(key in target)) throw new Refusal(400, `there is no ${key}`);
    const present = (target as Json)[key];
    if (isObject(present) && isObject(value) && key === 'delays') merge(present, value);
    else (target as Json)[key] = value;
  }
}

export function control(options: {
  faults: Faults;
  requests: { all: () => readonly LoggedRequest[]; clear: () => void };
}): Service {
  const { faults, requests } = options;
  const patch = (call: Call, target: object) => {
    if (!isObject(call.body)) throw new Refusal(400, 'an object is expected');
    merge(target, call.body);
    return { status: 200, body: target };
  };
  return {
    name: 'lab',
    root: '/lab',
    refuse: (refusal) => ({ status: refusal.status, body: { error: refusal.message } }),
    routes: [
      {
        method: 'POST',
        pattern: '/faults',
        open: true,
        handle: (call) => {
          const list = Array.isArray(call.body) ? (call.body as unknown[]) : [call.body];
          for (const fault of list.map(faultOf)) faults.add(fault);
          return { status: 204 };
        },
      },
      {
        method: 'DELETE',
        pattern: '/faults',
        open: true,
        handle: () => {
          faults.clear();
          return { status: 204 };
        },
      },
      { method: 'GET', pattern: '/requests', open: true, handle: () => ({ status: 200, body: requests.all() }) },
      {
        method: 'DELETE',
        pattern: '/requests',
        open: true,
        handle: () => {
          requests.clear();
          return { status: 204 };
        },
      },
      {
        method: 'GET',
        pattern: '/inventory',
        open: true,
        handle: (call) => {
          const project = call.query.get('project') ?? undefined;
          if (project !== undefined && !call.core.state.projects.some((one) => one.name === project)) {
            throw new Refusal(404, `no project ${project}`);
          }
          return { status: 200, body: inventoryOf(call.core.state, project) };
        },
      },
      {
        method: 'GET',
        pattern: '/settings',
        open: true,
        handle: (call) => ({ status: 200, body: call.core.settings }),
      },
      { method: 'PATCH', pattern: '/settings', open: true, handle: (call) => patch(call, call.core.settings) },
      {
        method: 'PATCH',
        pattern: '/quotas/:project',
        open: true,
        handle: (call) => {
          const project = call.core.state.projects.find((one) => one.name === param(call, 'project'));
          if (!project) throw new Refusal(404, `no project ${param(call, 'project')}`);
          return patch(call, project.quotas);
        },
      },
      {
        method: 'POST',
        pattern: '/expire-tokens',
        open: true,
        handle: (call) => {
          for (const token of call.core.state.tokens) token.expires = 0;
          return { status: 204 };
        },
      },
      {
        method: 'GET',
        pattern: '/volumes/:id',
        open: true,
        handle: (call) => {
          const volume = call.core.state.volumes.find((one) => one.id === param(call, 'id'));
          if (!volume) throw new Refusal(404, `no volume ${param(call, 'id')}`);
          return { status: 200, body: { id: volume.id, path: call.core.volumeFile(volume.id) } };
        },
      },
      {
        method: 'GET',
        pattern: '/settled',
        open: true,
        handle: async (call) => {
          await call.core.settled();
          return { status: 204 };
        },
      },
    ],
  };
}
