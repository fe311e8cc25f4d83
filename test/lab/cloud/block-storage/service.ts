/**
 * Cinder v3 (3.0 to 3.70). Shapes and words: Cinder 21 (Zed): api/v3/views, api/openstack/wsgi.py, exception.py; its
 * api-ref. The backend is a directory of sparse raw files, as the real lab's NFS driver.
 */
import { Refusal, type Call, type Reply, type Service } from '../http.js';
import { attachmentRoutes } from './attachments.js';
import { actionRoutes } from './actions.js';
import { quotaRoutes } from './quotas.js';
import { typeRoutes } from './types.js';
import { volumeRoutes } from './volumes.js';

/** Names of faults by status: `Fault._fault_names` of api/openstack/wsgi.py; Nova's are the same but for 413 and 429. */
const FAULTS: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

function refuse(refusal: Refusal): Reply {
  const retry = refusal.headers['retry-after'];
  const message = refusal.type === '' ? refusal.message : `${refusal.type}: ${refusal.message}`;
  return {
    status: refusal.status,
    body: {
      [FAULTS[refusal.status] ?? 'computeFault']: {
        code: refusal.status,
        message,
        ...(refusal.status === 413 && retry !== undefined ? { retryAfter: retry } : {}),
      },
    },
  };
}

function version(call: Call): object {
  return {
    id: 'v3.0',
    status: 'CURRENT',
    version: '3.70',
    min_version: '3.0',
    updated: '2022-08-31T00:00:00Z',
    links: [
      { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
      { rel: 'self', href: `${call.root}/v3/` },
    ],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  };
}

export const blockStorage: Service = {
  name: 'block-storage',
  root: '/volume',
  microversions: { key: 'volume', major: 3, min: 0, max: 70, prefix: '/v3/' },
  refuse,
  routes: [
    {
      method: 'GET',
      pattern: '/',
      open: true,
      handle: (call) => ({ status: 300, body: { versions: [version(call)] } }),
    },
    {
      method: 'GET',
      pattern: '/v3',
      open: true,
      handle: (call) => ({ status: 200, body: { versions: [version(call)] } }),
    },
    ...[...volumeRoutes, ...actionRoutes, ...attachmentRoutes, ...typeRoutes, ...quotaRoutes].map((route) => ({
      ...route,
      handle: (call: Call) => {
        // The project in the path must be the token's (api/openstack/wsgi.py).
        if (call.params['project'] !== call.scope?.project?.id) throw new Refusal(400, 'Malformed request url');
        return route.handle(call);
      },
    })),
  ],
};
