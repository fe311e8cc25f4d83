import { z } from 'zod';
import type { ServiceType } from './service-types.js';

/** A service's API as this program uses it. */
export interface Endpoint {
  /** With its version (and project, where the API wants it), without a slash at the end. */
  base: string;
  /** The microversion that every request names; null where the service has none. */
  microversion: string | null;
}

/** The highest microversions whose behaviour is known here: Nova of 2022.2 (Zed) and Cinder of the same year. */
const KNOWN: Partial<Record<ServiceType, string>> = { compute: '2.93', 'block-storage': '3.70' };

/** The name by which a service is called in `OpenStack-API-Version`. */
const HEADER_NAME: Partial<Record<ServiceType, string>> = { compute: 'compute', 'block-storage': 'volume' };

/**
 * The versioned URL from what the catalog has: with or without a version, with or without the project's id, of an
 * older version than the one that is spoken here. Source: each service's API reference, "API versions".
 */
export function versionedUrl(type: ServiceType, url: string, projectId: string): { base: string; document: string } {
  let root = url.replace(/\/+$/, '');
  const last = root.split('/').at(-1) ?? '';
  const withProject = last === projectId || last === `AUTH_${projectId}`;
  if (withProject) root = root.slice(0, -(last.length + 1));
  root = root.replace(/\/v\d+(\.\d+)?$/, '');
  const version = { identity: 'v3', image: 'v2', 'block-storage': 'v3', compute: 'v2.1', network: 'v2.0' }[type];
  const document = `${root}/${version}/`;
  const project = type === 'block-storage' || (type === 'compute' && withProject) ? `/${projectId}` : '';
  return { base: `${root}/${version}${project}`, document };
}

const entrySchema = z.object({
  id: z.string(),
  version: z.string().nullish(),
  max_version: z.string().nullish(),
  min_version: z.string().nullish(),
});
const documentSchema = z.union([
  z.object({ version: entrySchema }).transform(({ version }) => [version]),
  z.object({ versions: z.array(entrySchema) }).transform(({ versions }) => versions),
]);

/** The range of microversions that a version document gives; null where it gives none or is no such document. */
export function microversionsIn(type: ServiceType, document: unknown): { min: string; max: string } | null {
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) return null;
  const wanted = type === 'compute' ? 'v2.1' : 'v3';
  const entry = parsed.data.find(({ id }) => id === wanted || id.startsWith(`${wanted}.`));
  // Fields that mean nothing to a service are empty or missing.
  const read = (...fields: (string | null | undefined)[]) => fields.find((text) => /^\d+\.\d+$/.test(text ?? ''));
  const max = read(entry?.version, entry?.max_version);
  return max ? { min: read(entry?.min_version) ?? max, max } : null;
}

/** The highest microversion that the service, this program and the user's own limit allow; null if there is none. */
export function chooseMicroversion(
  type: ServiceType,
  offered: { min: string; max: string } | null,
  limit: string | undefined,
): string | null {
  const known = KNOWN[type];
  if (offered === null || known === undefined) return null;
  const wanted = [offered.max, known, ...(limit === undefined ? [] : [limit])].reduce((a, b) =>
    compare(a, b) <= 0 ? a : b,
  );
  return compare(wanted, offered.min) < 0 ? null : wanted;
}

/** Below zero if `a` is older than `b`: 2.9 is older than 2.10. */
export function compare(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}

/** Whether microversion `have` has what came with `need`. */
export function atLeast(have: string | null, need: string): boolean {
  return have !== null && compare(have, need) >= 0;
}

/** The headers that ask for a microversion; Nova before Newton knew only the second. */
export function microversionHeaders(type: ServiceType, microversion: string | null): Record<string, string> {
  const name = HEADER_NAME[type];
  if (microversion === null || name === undefined) return {};
  return {
    'openstack-api-version': `${name} ${microversion}`,
    ...(type === 'compute' ? { 'x-openstack-nova-api-version': microversion } : {}),
  };
}
