/** What a test or the demo sees of the embedded cloud: options, faults, the log of requests, the inventory. */
import type { CloudState } from './state.js';

/** Service types as the catalog and the request log name them; `lab` is the cloud's own control API. */
export type ServiceName = 'identity' | 'image' | 'block-storage' | 'compute' | 'network' | 'lab';

/** How long the cloud takes for what real clouds do in the background, in milliseconds. */
export interface CloudDelays {
  /** An image stays `saving` for this long after its last byte. Default 0. */
  image: number;
  /** A volume stays `creating`, then (from an image) `downloading`, half of it each. Default 20. */
  volume: number;
  /** A server stays `BUILD`. Default 30. */
  server: number;
  /** A server being stopped, started or deleted, and its volumes, take so long. Default 10. */
  power: number;
  /** From `ACTIVE` to the login prompt in the console log. Default 0. */
  boot: number;
}

/** Behaviour that tests change at any time; the cloud reads it at each request. */
export interface CloudSettings {
  delays: CloudDelays;
  /** Life of the tokens issued from now on, in seconds. Default 4 h. */
  tokenLifetimeSeconds: number;
  /** Glance's `image_size_cap`; an upload above it ends with 413. Default 1 TiB (Glance's own default). */
  imageSizeCapBytes: number;
  /** Refuse content that is not the declared `disk_format`, as Glance does since 2025.1. Default false, as up to 2024.2. */
  refuseFormatMismatch: boolean;
  /** DELETE of an image from which a volume was made answers 409, as clouds with copy-on-write clones do (Ceph). Default false. */
  imageInUseWhileCloned: boolean;
  /** Entries in a page where the client names no limit; also the greatest limit it may name. Default 1000. */
  pageSize: number;
  /** What the next volumes come to: `ok`, or `error` with this user message. `stuck` never leaves `creating`. */
  volumeOutcome: 'ok' | 'error' | 'stuck';
  volumeErrorMessage: string;
  /** What the next servers come to: `ok`, or `ERROR` with this fault. `stuck` never leaves `BUILD`. */
  serverOutcome: 'ok' | 'error' | 'stuck';
  serverFault: string;
  /** What the console log of a started server holds: `auto` (from the boot volume's bytes), or this text; `unsupported` answers 501. */
  console: 'auto' | 'unsupported' | { text: string };
}

/** Which requests a fault is for; an absent field fits all. */
export interface FaultMatch {
  service?: ServiceName;
  method?: string;
  /** Regular expression on the path with its query, below the service's root: `/v2/images/[^/]+/file`. */
  path?: string;
  /** Start at the nth matching request, counted from 1. Default 1. */
  nth?: number;
  /** How many matching requests from there. Default 1; `Infinity` (JSON: 0) for all. */
  times?: number;
}

/** What happens to a matching request. */
export type FaultAction =
  /** This answer; the request has no effect. */
  | { kind: 'status'; status: number; body?: string | object; headers?: Record<string, string> }
  /** The connection is reset; with `after: 'effect'` the request was carried out and only its answer is lost. */
  | { kind: 'reset'; after?: 'effect' }
  /** The request waits so long, then goes its way. */
  | { kind: 'stall'; ms: number }
  /** The answer's body ends after so many bytes, by a reset. */
  | { kind: 'cut-response'; bytes: number }
  /** The connection is reset after so many bytes of the request's body. */
  | { kind: 'cut-upload'; bytes: number }
  /** One bit of this byte of the request's body arrives as the other. */
  | { kind: 'flip-upload'; byte: number }
  /** So many bytes of the request's body are read, then this answer is given and the connection closed, as proxies do. */
  | { kind: 'refuse-upload'; bytes: number; status: number; body?: string | object }
  /** All tokens are made invalid before the request is looked at. */
  | { kind: 'expire-tokens' };

export interface Fault {
  match: FaultMatch;
  action: FaultAction;
}

/** One request as the cloud saw it. Passwords, secrets and tokens are left out. */
export interface LoggedRequest {
  /** Counts from 1. */
  number: number;
  /** Milliseconds since the epoch. */
  time: number;
  service: ServiceName;
  method: string;
  /** Path and query below the service's root, e.g. `/v2/images?limit=20`. */
  path: string;
  /** The JSON body with secrets replaced, or null where there was none or it was not JSON. */
  body: unknown;
  /** Bytes of the request's body that arrived. */
  receivedBytes: number;
  /** Null while no answer was sent (reset, stall). */
  status: number | null;
  requestId: string;
  /** The microversion header the client sent, or null. */
  microversion: string | null;
}

/** Ids of all there is in a project (or in all), sorted; to be compared before and after. */
export interface Inventory {
  images: string[];
  volumes: string[];
  attachments: string[];
  servers: string[];
  ports: string[];
  networks: string[];
  subnets: string[];
  securityGroups: string[];
  keypairs: string[];
}

/** A project's limits; -1 is no limit. */
export interface Quotas {
  instances: number;
  cores: number;
  /** MiB. */
  ram: number;
  volumes: number;
  gigabytes: number;
  snapshots: number;
  /** Per volume type: `{ "lab-fast": { gigabytes: 10, volumes: -1 } }`. */
  perType: Record<string, { gigabytes: number; volumes: number }>;
  ports: number;
}

export interface CloudOptions {
  /** Where the bytes of images and volumes lie, and clouds.yaml, certificate and state. Made when missing. */
  directory: string;
  /** Default 0: any free port. Always on 127.0.0.1. */
  port?: number;
  /** Serve https with a self-made certificate (`caFile`). Default false. */
  tls?: boolean;
  /** Keep the state in `state.json`, so that a later start on the same directory goes on with it. Default false. */
  persist?: boolean;
  settings?: Partial<Omit<CloudSettings, 'delays'>> & { delays?: Partial<CloudDelays> };
}

/** The accounts there are: see `seed.ts`. */
export type CredentialKind = 'lab' | 'lab-appcred' | 'lab-poor' | 'lab-admin';

export interface EmbeddedCloud {
  /** `http://127.0.0.1:PORT/identity/v3` */
  readonly authUrl: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly directory: string;
  /** clouds.yaml (mode 600) with the clouds `lab`, `lab-appcred`, `lab-poor`, `lab-admin`. */
  readonly cloudsYaml: string;
  /** The certificate to trust, where `tls` was asked for. */
  readonly caFile: string | null;
  /** Change at any time. */
  readonly settings: CloudSettings;
  /** The resources themselves, for assertions and for setting up what no API offers. Times and ids are the cloud's own. */
  readonly state: CloudState;
  /** `OS_*` variables of an account. Default `lab`. */
  environment(kind?: CredentialKind): Record<string, string>;
  /** Adds a fault; the returned function takes it away. Later faults are looked at first. */
  fault(fault: Fault): () => void;
  clearFaults(): void;
  /** All requests since the start (or `clearLog`), those of `/lab` left out. */
  requests(): readonly LoggedRequest[];
  /** Those that change something in a project: every method but GET and HEAD, authentication and console reads left out. */
  changingRequests(): readonly LoggedRequest[];
  clearLog(): void;
  /** Of a project by name, or of all. */
  inventory(project?: string): Inventory;
  quotas(project: string): Quotas;
  /** Path of the raw, sparse file with a volume's bytes. Throws when there is no such volume. */
  volumeFile(volumeId: string): string;
  /** Path of the file with an image's bytes as uploaded. */
  imageFile(imageId: string): string;
  /** All tokens issued so far answer 401 from now on. */
  expireTokens(): void;
  /** Resolves when no background work (volumes being made, servers being built) is under way. */
  settled(): Promise<void>;
  /** Ends all connections and background work; writes the state when `persist`. */
  stop(): Promise<void>;
}
