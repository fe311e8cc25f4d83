import { StackferryError } from '../../core/index.js';
import type { CloudConfig } from '../config/types.js';
import { aliasesOf, type ServiceType } from './service-types.js';
import type { CatalogEntry } from './tokens.js';

/**
 * The URL of a service: an override, else the catalog's endpoint of the configured region and interface, by the
 * official type or one of its aliases. Throws `cloud.no_service` with what the catalog has instead.
 */
export function endpointOf(
  catalog: readonly CatalogEntry[],
  type: ServiceType,
  config: Pick<CloudConfig, 'endpointOverrides' | 'region' | 'interface'>,
): string {
  const override = config.endpointOverrides[type];
  if (override !== undefined) return override.replace(/\/+$/, '');
  const entries = aliasesOf(type).flatMap((alias) => catalog.filter((entry) => entry.type === alias));
  const endpoints = entries.flatMap((entry) => entry.endpoints);
  const inRegion = endpoints.filter(
    ({ region, region_id }) => config.region === null || region_id === config.region || region === config.region,
  );
  const found = inRegion.find((endpoint) => endpoint.interface.replace(/URL$/, '') === config.interface);
  if (found) return found.url.replace(/\/+$/, '');
  throw missing(catalog, type, endpoints, inRegion, config);
}

function missing(
  catalog: readonly CatalogEntry[],
  type: ServiceType,
  endpoints: CatalogEntry['endpoints'],
  inRegion: CatalogEntry['endpoints'],
  config: Pick<CloudConfig, 'region' | 'interface'>,
): StackferryError {
  const list = (items: string[]) => [...new Set(items)].sort().join(', ') || 'none';
  if (endpoints.length === 0) {
    return new StackferryError('cloud.no_service', `The catalog of this cloud has no ${type} service.`, {
      hint: `It has: ${list(catalog.map((entry) => entry.type))}. An address can be set in clouds.yaml: ${type.replaceAll('-', '_')}_endpoint_override.`,
    });
  }
  if (inRegion.length === 0) {
    return new StackferryError('cloud.no_service', `There is no ${type} service in region ${config.region ?? ''}.`, {
      hint: `Regions that have one: ${list(endpoints.map(({ region, region_id }) => region_id ?? region ?? ''))}. Set region_name or OS_REGION_NAME.`,
    });
  }
  return new StackferryError(
    'cloud.no_service',
    `The catalog has no ${config.interface} address of the ${type} service.`,
    {
      hint: `It has: ${list(inRegion.map((endpoint) => endpoint.interface))}. Set interface in clouds.yaml or OS_INTERFACE.`,
    },
  );
}
