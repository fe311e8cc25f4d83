import type { Context } from '../core/index.js';
import type { VolumeTypes } from './block-storage/types.js';
import type { Volumes } from './block-storage/volumes.js';
import type { Flavors } from './compute/flavors.js';
import type { Keypairs } from './compute/keypairs.js';
import type { Servers } from './compute/servers.js';
import type { CloudConfig } from './config/types.js';
import type { Images } from './image/images.js';
import type { Limits, Zones } from './limits.js';
import type { Networks } from './network/networks.js';
import type { Ports } from './network/ports.js';
import type { SecurityGroups } from './network/security-groups.js';

/** A request that changes something, as it is about to be sent. */
export interface ChangingRequest {
  /** Official service type: `compute`. */
  service: string;
  method: string;
  /** Path without host and query. */
  path: string;
  /** The JSON body, if it has one. Holds no secrets. */
  body: unknown;
}

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
  images: Images;
  volumes: Volumes;
  volumeTypes: VolumeTypes;
  servers: Servers;
  flavors: Flavors;
  keypairs: Keypairs;
  networks: Networks;
  ports: Ports;
  securityGroups: SecurityGroups;
  limits(): Promise<Limits>;
  zones(): Promise<Zones>;
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

/** Logs in. Throws `cloud.unauthorized`, `cloud.unreachable`, `cloud.tls`, `cloud.scope` … */
export declare function connectCloud(config: CloudConfig, ctx: Context, options: ConnectOptions): Promise<Cloud>;
