/** Nova 2.1 to 2.93. Shapes and words: Nova 26 (Zed): api/openstack/compute/views, exception.py; its api-ref; the real lab. */
import type { Call, Refusal, Reply, Service } from '../http.js';
import { actionRoutes } from './actions.js';
import { attachRoutes } from './attach.js';
import { catalogRoutes } from './flavors.js';
import { serverRoutes } from './servers.js';

const FAULTS: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

function refuse(refusal: Refusal): Reply {
  const retry = refusal.headers['retry-after'];
  return {
    status: refusal.status,
    body: {
      [FAULTS[refusal.status] ?? 'computeFault']: {
        code: refusal.status,
        message: refusal.message,
        ...(retry === undefined ? {} : { retryAfter: retry }),
      },
    },
  };
}

function version(call: Call, id: 'v2.0' | 'v2.1', full: boolean): object {
  const modern = id === 'v2.1';
  const path = modern ? 'v2.1' : 'v2';
  return {
    id,
    status: modern ? 'CURRENT' : 'SUPPORTED',
    version: modern ? '2.93' : '',
    min_version: modern ? '2.1' : '',
    updated: modern ? '2013-07-23T11:33:21Z' : '2011-01-21T11:33:21Z',
    links: [
      { rel: 'self', href: `${call.root}/${path}/` },
      ...(full ? [{ rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }] : []),
    ],
    ...(full
      ? { 'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }] }
      : {}),
  };
}

export const compute: Service = {
  name: 'compute',
  root: '/compute',
  microversions: { key: 'compute', major: 2, min: 1, max: 93, prefix: '/v2.1/' },
  refuse,
  routes: [
    {
      method: 'GET',
      pattern: '/',
      open: true,
      handle: (call) => ({
        status: 200,
        body: { versions: [version(call, 'v2.0', false), version(call, 'v2.1', false)] },
      }),
    },
    {
      method: 'GET',
      pattern: '/v2.1',
      open: true,
      handle: (call) => ({ status: 200, body: { version: version(call, 'v2.1', true) } }),
    },
    ...serverRoutes,
    ...actionRoutes,
    ...attachRoutes,
    ...catalogRoutes,
  ],
};
