import { StackferryError, messageOf, systemCode, type Context } from '../core/index.js';
import { attachmentsOf, type Attachments } from './block-storage/attachments.js';
import { volumeTypesOf, type VolumeTypes } from './block-storage/types.js';
import { volumesOf, type Volumes } from './block-storage/volumes.js';
import { flavorsOf, type Flavors } from './compute/flavors.js';
import { keypairsOf, type Keypairs } from './compute/keypairs.js';
import { serversOf, type Servers } from './compute/servers.js';
import type { CloudConfig } from './config/types.js';
import { Http } from './http.js';
import { OFFICIAL_TYPES, type ServiceType } from './identity/service-types.js';
import { identityUrl } from './identity/tokens.js';
import { imagesOf, type Images } from './image/images.js';
import { readLimits, readZones, type Limits, type Zones } from './limits.js';
import { networksOf, type Networks } from './network/networks.js';
import { portsOf, type Ports } from './network/ports.js';
import { requestsOf, type Requests } from './requests.js';
import { securityGroupsOf, type SecurityGroups } from './network/security-groups.js';
import { Service } from './service.js';
import { Session, type ChangingRequest } from './session.js';

export interface ConnectOptions {
  /** Reads PEM files named in the configuration. */
  readFile: (path: string) => Promise<string>;
  /** Called before every request that changes something (logins apart); throw to refuse it. */
  onChange?: (request: ChangingRequest) => void;
  /** Milliseconds one request may be silent; 60,000 if unset. Uploads may take as long as they need. */
  requestTimeoutMs?: number;
}

/** One project of one cloud. No service but Keystone is asked before it is used. */
export interface Cloud {
  /** Its name in clouds.yaml, or the host of its auth URL. */
  name: string;
  authUrl: string;
  region: string | null;
  project: { id: string; name: string };
  user: { id: string; name: string };
  roles: string[];
  /** Types of the services in the catalog, as it names them: `compute`, `key-manager` … */
  catalog: string[];
  images: Images;
  volumes: Volumes;
  volumeTypes: VolumeTypes;
  /** Volumes at hosts that attach them themselves. */
  attachments: Attachments;
  servers: Servers;
  flavors: Flavors;
  keypairs: Keypairs;
  networks: Networks;
  ports: Ports;
  securityGroups: SecurityGroups;
  /** What would be sent, for `--dry-run`. */
  requests: Requests;
  limits(): Promise<Limits>;
  zones(): Promise<Zones>;
  /** The microversion of Nova that is spoken: the highest that both sides know; null where it has none. */
  computeMicroversion(): Promise<string | null>;
  /** The services of the catalog with the versions they speak, for `doctor`. */
  services(): Promise<CloudService[]>;
  /** The same cloud and login, speaking through another context (its events, its signal). */
  withContext(ctx: Context): Cloud;
  /** Closes kept connections. */
  close(): void;
}

export interface CloudService {
  type: string;
  url: string;
  /** `2.93`, or null where it has no microversions. */
  microversion: string | null;
  /** Why it cannot be used, or null. */
  error: string | null;
}

/**
 * Logs in. Throws `cloud.unauthorized` (which user, project and URL), `cloud.scope` (no project), `cloud.unreachable`,
 * `cloud.tls`, `cloud.not_keystone`, `config.file` (a PEM file that cannot be read). Warnings of the configuration are
 * told as events.
 */
export async function connectCloud(config: CloudConfig, ctx: Context, options: ConnectOptions): Promise<Cloud> {
  for (const warning of config.warnings) ctx.events.emit({ kind: 'warning', ...warning });
  const pem = async (key: 'cacert' | 'cert' | 'key'): Promise<string | undefined> => {
    const path = config[key];
    if (path === null || (key === 'cacert' && !config.verify)) return undefined;
    try {
      return await options.readFile(path);
    } catch (error) {
      const why = systemCode(error) === 'ENOENT' ? 'it is not there' : messageOf(error);
      throw new StackferryError('config.file', `Cannot read ${path}, the ${key} of the cloud: ${why}.`, {
        hint: `Correct ${key} in clouds.yaml or OS_${key.toUpperCase()}.`,
        cause: error,
      });
    }
  };
  const cert = await pem('cert');
  const http = new Http({
    verify: config.verify,
    ca: await pem('cacert'),
    cert,
    // keystoneauth takes one file for both, where no key is named.
    key: (await pem('key')) ?? cert,
    proxy: config.proxy,
    silenceMs: options.requestTimeoutMs ?? 60_000,
  });
  try {
    return cloudOf(await Session.open(config, http, ctx, options.onChange), ctx);
  } catch (error) {
    http.close();
    throw error;
  }
}

function cloudOf(session: Session, ctx: Context): Cloud {
  const service = (type: ServiceType) => new Service(session, type, ctx);
  const { config, login } = session;
  const compute = service('compute');
  const volume = service('block-storage');
  const network = service('network');
  // Neutron shows an administrator every project's networks and groups.
  const seesAll = login.roles.includes('admin');
  return {
    name: config.name ?? new URL(config.authUrl).host,
    authUrl: config.authUrl,
    region: config.region,
    project: login.project,
    user: login.user,
    roles: login.roles,
    catalog: [...new Set(login.catalog.map(({ type }) => type))],
    images: imagesOf(service('image')),
    volumes: volumesOf(volume),
    volumeTypes: volumeTypesOf(volume),
    attachments: attachmentsOf(volume),
    servers: serversOf(compute),
    flavors: flavorsOf(compute),
    keypairs: keypairsOf(compute),
    networks: networksOf(network, seesAll),
    ports: portsOf(network),
    securityGroups: securityGroupsOf(network, seesAll),
    requests: requestsOf({ image: service('image'), volume, compute, network }),
    limits: () => readLimits({ compute, volume, network }),
    zones: () => readZones({ compute, volume }),
    computeMicroversion: () => compute.microversion(),
    services: () => Promise.all(OFFICIAL_TYPES.map((type) => probe(service(type), config))),
    withContext: (other) => cloudOf(session, other),
    close: () => session.http.close(),
  };
}

/** Asks one service for something small, so that an address that does not answer is seen. */
async function probe(service: Service, config: CloudConfig): Promise<CloudService> {
  const small: Record<ServiceType, string> = {
    identity: '',
    image: '/images?limit=1',
    'block-storage': '/limits',
    compute: '/limits',
    network: '/networks?limit=1&fields=id',
  };
  const { type } = service;
  let url = type === 'identity' ? identityUrl(config.authUrl) : '';
  try {
    if (type === 'identity') return { type, url, microversion: null, error: null };
    url = await service.baseUrl();
    await service.call({ what: `reach the ${type} service`, method: 'GET', path: small[type], accept: [403] });
    return { type, url, microversion: await service.microversion(), error: null };
  } catch (error) {
    return { type, url, microversion: null, error: messageOf(error) };
  }
}
