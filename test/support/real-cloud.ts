import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { z } from 'zod';

/** The real OpenStack that `scripts/lab cloud up` starts, seen without the program: own login, own requests. */

export const LAB_DIR = process.env['STACKFERRY_LAB_DIR'] ?? '/var/tmp/stackferry-lab';
const CLOUD_DIR = join(LAB_DIR, 'cloud');
export const CLOUDS_FILE = join(CLOUD_DIR, 'clouds.yaml');

/** Cinder's backend is a folder of raw files: what a volume holds, read where the cloud stores it. */
export const volumeFile = (id: string): string => join(CLOUD_DIR, 'share', `volume-${id}`);
/** Glance's store is a folder as well; a file here grows while its image is uploaded. */
export const imageFile = (id: string): string => join(CLOUD_DIR, 'glance', 'images', id);

const entrySchema = z.object({
  region_name: z.string(),
  auth: z.object({
    auth_url: z.string(),
    username: z.string().optional(),
    password: z.string().optional(),
    project_name: z.string().optional(),
    application_credential_id: z.string().optional(),
    application_credential_secret: z.string().optional(),
  }),
});
export type CloudEntry = z.infer<typeof entrySchema>;

/** An entry of the lab's clouds.yaml. */
export async function cloudEntry(name: string): Promise<CloudEntry> {
  const file = z.object({ clouds: z.record(z.string(), z.unknown()) });
  return entrySchema.parse(file.parse(parse(await readFile(CLOUDS_FILE, 'utf8'))).clouds[name]);
}

export type Row = Record<string, unknown> & { id: string };
const rowSchema = z.looseObject({ id: z.string() });
const tokenSchema = z.object({
  token: z.object({
    project: z.object({ id: z.string() }),
    catalog: z.array(
      z.object({ type: z.string(), endpoints: z.array(z.object({ interface: z.string(), url: z.string() })) }),
    ),
  }),
});

/** How each kind is listed. Microversions: Nova 2.93 (tags of volumes and hosts), Cinder 3.59 (attachments). */
const KINDS = {
  server: { service: 'compute', path: '/servers/detail', key: 'servers' },
  keypair: { service: 'compute', path: '/os-keypairs', key: 'keypairs' },
  volume: { service: 'volumev3', path: '/volumes/detail', key: 'volumes' },
  snapshot: { service: 'volumev3', path: '/snapshots/detail', key: 'snapshots' },
  attachment: { service: 'volumev3', path: '/attachments', key: 'attachments' },
  image: { service: 'image', path: '/v2/images?limit=1000&owner=', key: 'images' },
  port: { service: 'network', path: '/v2.0/ports?project_id=', key: 'ports' },
  network: { service: 'network', path: '/v2.0/networks?project_id=', key: 'networks' },
  subnet: { service: 'network', path: '/v2.0/subnets?project_id=', key: 'subnets' },
  security_group: { service: 'network', path: '/v2.0/security-groups?project_id=', key: 'security_groups' },
} as const;
export type Kind = keyof typeof KINDS;
export type Resource = Row & { kind: Kind };

const VERSIONS: Record<string, Record<string, string>> = {
  compute: { 'openstack-api-version': 'compute 2.93' },
  volumev3: { 'openstack-api-version': 'volume 3.59' },
};

export class RealCloud {
  readonly projectId: string;
  readonly token: string;
  readonly #endpoints: Map<string, string>;

  private constructor(token: string, answer: z.infer<typeof tokenSchema>) {
    this.token = token;
    this.projectId = answer.token.project.id;
    const url = (endpoints: { interface: string; url: string }[]) =>
      endpoints.find((item) => item.interface === 'public')?.url ?? '';
    this.#endpoints = new Map(answer.token.catalog.map((item) => [item.type, url(item.endpoints)]));
  }

  /** Logs in with the password of an entry of the lab's clouds.yaml. */
  static async connect(name: string): Promise<RealCloud> {
    const { auth } = await cloudEntry(name);
    const domain = { id: 'default' };
    const user = { name: auth.username, domain, password: auth.password };
    const scope = { project: { name: auth.project_name, domain } };
    const answer = await fetch(`${auth.auth_url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
    });
    if (answer.status !== 201) throw new Error(`no login to ${name}: ${answer.status} ${await answer.text()}`);
    return new RealCloud(answer.headers.get('x-subject-token') ?? '', tokenSchema.parse(await answer.json()));
  }

  async request(service: string, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.#endpoints.get(service) ?? ''}${path}`, {
      method,
      headers: { 'x-auth-token': this.token, 'content-type': 'application/json', ...VERSIONS[service] },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status === 404 && method === 'DELETE') return undefined;
    if (!answer.ok) throw new Error(`${service}: ${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  /** All of a kind that the project owns. */
  async list(kind: Kind): Promise<Resource[]> {
    const { service, path, key } = KINDS[kind];
    const answer = await this.request(service, 'GET', path.endsWith('=') ? `${path}${this.projectId}` : path);
    const rows = z.record(z.string(), z.unknown()).parse(answer)[key];
    return z
      .array(z.looseObject({ id: z.string().optional() }))
      .parse(rows)
      .map((row) => {
        // A key pair has no id of its own, and lies in an envelope.
        const keypair = z.object({ keypair: z.looseObject({ name: z.string() }) }).safeParse(row).data?.keypair;
        return { ...(keypair ?? row), id: row.id ?? keypair?.name ?? '', kind };
      });
  }

  /** Everything that the project owns, in a fixed order. */
  async everything(): Promise<Resource[]> {
    const lists = await Promise.all((Object.keys(KINDS) as Kind[]).map((kind) => this.list(kind)));
    return lists.flat().sort((a, b) => `${a.kind} ${a.id}`.localeCompare(`${b.kind} ${b.id}`));
  }

  async show(kind: 'server' | 'volume' | 'port' | 'image', id: string): Promise<Row> {
    const { service, path } = KINDS[kind];
    const base = path.replace(/(\/detail)?(\?.*)?$/, '');
    const answer = await this.request(service, 'GET', `${base}/${id}`);
    // Glance alone puts no envelope around it.
    return rowSchema.parse(z.record(z.string(), z.unknown()).parse(answer)[kind] ?? answer);
  }

  async console(server: string): Promise<string> {
    const body = { 'os-getConsoleOutput': {} };
    const answer = await this.request('compute', 'POST', `/servers/${server}/action`, body);
    return z.object({ output: z.string() }).parse(answer).output;
  }

  /** Deletes what carries the mark of one of these runs, servers first, and waits until it is gone. */
  async removeRuns(runs: ReadonlySet<string>): Promise<void> {
    for (const kind of ['server', 'port', 'volume', 'image'] as const) {
      const { service, path } = KINDS[kind];
      const base = path.replace(/(\/detail)?(\?.*)?$/, '');
      for (let tries = 0; ; tries++) {
        const left = (await this.list(kind)).filter((row) => runs.has(runOf(row) ?? ''));
        if (left.length === 0) break;
        if (tries === 300) throw new Error(`${kind} ${left.map(({ id }) => id).join(', ')} does not go`);
        // A volume may still be at its server for a moment; it is asked for again until it goes.
        const going = left.filter((row) => row['status'] !== 'deleting' && row['OS-EXT-STS:task_state'] !== 'deleting');
        for (const row of going) await this.request(service, 'DELETE', `${base}/${row.id}`).catch(() => undefined);
        await sleep(1000);
      }
    }
  }
}

/** The run that a resource says to be of, by the marks that the program sets. */
export function runOf(row: Row): string | undefined {
  const metadata = z.record(z.string(), z.string()).safeParse(row['metadata']).data ?? {};
  const text = typeof row['description'] === 'string' ? row['description'] : '';
  const property = typeof row['stackferry_run'] === 'string' ? row['stackferry_run'] : undefined;
  return metadata['stackferry_run'] ?? property ?? /stackferry_run=(\w+)/.exec(text)?.[1];
}
