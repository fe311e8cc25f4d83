/** A small client for this cloud's own tests: plain fetch, nothing shared with the code under test. */
import type { EmbeddedCloud } from './types.js';

/**
 * A JSON answer, or a part of one. Every field that the tests name is declared with the type it has wherever it occurs;
 * which of them are there is what the tests find out.
 */
export interface Found {
  id: string;
  name: string;
  status: string;
  message: string;
  code: number | string;
  title: string;
  type: string;
  href: string;
  next?: string;
  url: string;
  error: Found;
  badRequest: Found;
  forbidden: Found;
  conflictingRequest: Found;
  computeFault: Found;
  overLimit: Found;
  NeutronError: Found;
  version: Found;
  versions: { values: [Found] };
  token: Found;
  project: Found;
  projects: [Found, ...Found[]];
  catalog: [Found, ...Found[]];
  endpoints: [Found, ...Found[]];
  application_credential: Found;
  image: Found;
  images: [Found, ...Found[]];
  tags: string[];
  a: string;
  volume: Found;
  volumes: [Found, ...Found[]];
  volumes_links?: [Found, ...Found[]];
  volume_types: [Found, ...Found[]];
  volume_image_metadata: unknown;
  messages: [Found, ...Found[]];
  user_message: string;
  attachment: Found;
  attachments: [Found, ...Found[]];
  attachment_id: string;
  connection_info: unknown;
  description: string;
  limits: { absolute: unknown };
  quota_set: { gigabytes: unknown };
  quota: { port: unknown };
  server: Found;
  servers: [Found, ...Found[]];
  servers_links: [Found, ...Found[]];
  output: string;
  volumeAttachment: Found;
  volumeAttachments: [Found, ...Found[]];
  flavors: [Found, ...Found[]];
  extra_specs: unknown;
  port: Found;
  ports: [Found, ...Found[]];
  ports_links: [Found, ...Found[]];
  networks: [Found, ...Found[]];
  fixed_ips: { ip_address: string }[];
  mac_address: string;
  'binding:vif_type': string;
  security_groups: [Found, ...Found[]];
  security_group_rules: { direction: string; port_range_min: number | null }[];
}

export interface Answer {
  status: number;
  headers: Headers;
  /** The JSON body; the text itself (a string) where it is none. */
  body: Found;
}

export interface Client {
  token: string;
  projectId: string;
  /** Paths are below the service's root: `image('GET', '/v2/images')`; Cinder's are below the project. */
  image: Send;
  volume: Send;
  compute: Send;
  network: Send;
}

interface SendOptions {
  json?: unknown;
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  version?: string;
}

type Send = (method: string, path: string, options?: SendOptions) => Promise<Answer>;

export async function send(url: string, method: string, options: SendOptions = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(options.json === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
    ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const text = await response.text();
  let body = text as unknown as Found;
  try {
    body = JSON.parse(text) as Found;
  } catch {
    // Text it is.
  }
  return { status: response.status, headers: response.headers, body };
}

export function passwordLogin(project: string | null, password = 'lab', user = 'lab'): object {
  const domain = { id: 'default' };
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
      ...(project === null ? {} : { scope: { project: { name: project, domain } } }),
    },
  };
}

export async function login(cloud: EmbeddedCloud, project = 'lab', user = 'lab'): Promise<Client> {
  const answer = await send(`${cloud.authUrl}/auth/tokens`, 'POST', { json: passwordLogin(project, 'lab', user) });
  const token = answer.headers.get('x-subject-token') ?? '';
  const { token: issued } = answer.body;
  const via =
    (root: string, key?: string): Send =>
    (method, path, options = {}) =>
      send(cloud.url + root + path, method, {
        ...options,
        headers: {
          'x-auth-token': token,
          ...(options.version === undefined || key === undefined
            ? {}
            : { 'openstack-api-version': `${key} ${options.version}` }),
          ...options.headers,
        },
      });
  return {
    token,
    projectId: issued.project.id,
    image: via('/image'),
    volume: via(`/volume/v3/${issued.project.id}`, 'volume'),
    compute: via('/compute/v2.1', 'compute'),
    network: via('/network/v2.0'),
  };
}

/** An active image with these bytes; its id. */
export async function uploaded(client: Client, bytes: Buffer, fields: Record<string, unknown> = {}): Promise<string> {
  const made = await client.image('POST', '/v2/images', {
    json: { name: 'image', disk_format: 'raw', container_format: 'bare', ...fields },
  });
  const { id } = made.body;
  const put = await client.image('PUT', `/v2/images/${id}/file`, {
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (put.status !== 204) throw new Error(`upload: ${put.status} ${JSON.stringify(put.body)}`);
  return id;
}

/** An available volume of 1 GiB; its id. */
export async function volume(
  cloud: EmbeddedCloud,
  client: Client,
  fields: Record<string, unknown> = {},
): Promise<string> {
  const made = await client.volume('POST', '/volumes', { json: { volume: { size: 1, ...fields } } });
  if (made.status !== 202) throw new Error(`volume: ${made.status} ${JSON.stringify(made.body)}`);
  await cloud.settled();
  return made.body.volume.id;
}
