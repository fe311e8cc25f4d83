import { StackferryError, type Context, type Secret } from '../core/index.js';
import type { CloudConfig } from './config/types.js';
import type { Http } from './http.js';
import { endpointOf } from './identity/catalog.js';
import type { ServiceType } from './identity/service-types.js';
import { login, type Login } from './identity/tokens.js';
import { chooseMicroversion, microversionsIn, versionedUrl, type Endpoint } from './identity/versions.js';

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

/** Reads a version document through a service's own transport; undefined where the service has none to show. */
export type ReadDocument = (url: string) => Promise<unknown>;

/** One login to one project, and what was learnt of its services. Shared by all clients of a cloud. */
export class Session {
  readonly config: CloudConfig;
  readonly http: Http;
  readonly onChange: ((request: ChangingRequest) => void) | undefined;
  #login: Login;
  #renewal: Promise<void> | undefined;
  readonly #endpoints = new Map<ServiceType, Promise<Endpoint>>();

  private constructor(
    config: CloudConfig,
    http: Http,
    first: Login,
    onChange: ((request: ChangingRequest) => void) | undefined,
  ) {
    this.config = config;
    this.http = http;
    this.#login = first;
    this.onChange = onChange;
  }

  static async open(
    config: CloudConfig,
    http: Http,
    ctx: Context,
    onChange: ((request: ChangingRequest) => void) | undefined,
  ): Promise<Session> {
    return new Session(config, http, await login(config, http, ctx), onChange);
  }

  get login(): Login {
    return this.#login;
  }

  /** The present token, renewed first if it will not last that long (milliseconds) and a new one can last longer. */
  async token(ctx: Context, lifeMs = 0): Promise<Secret> {
    if (lifeMs > 0 && this.config.auth.type !== 'token' && this.#login.expiresAt - ctx.clock.now() < lifeMs) {
      await this.renew(ctx, this.#login.token);
    }
    return this.#login.token;
  }

  /** Logs in again, once for all who found the same token refused. */
  async renew(ctx: Context, refused: Secret): Promise<void> {
    if (this.#login.token !== refused) return;
    this.#renewal ??= (async () => {
      ctx.log.debug('The token is no longer valid; logging in again.', { cloud: this.config.name });
      const next = await login(this.config, this.http, ctx);
      if (next.project.id !== this.#login.project.id) {
        throw new StackferryError(
          'cloud.scope',
          `The new token is for project ${next.project.name}, not ${this.#login.project.name}.`,
          {
            hint: 'Someone changed the default project of this user: name the project in clouds.yaml.',
          },
        );
      }
      this.#login = next;
    })().finally(() => (this.#renewal = undefined));
    await this.#renewal;
  }

  /** Where a service is and which microversion to speak; looked up once. A failure is not kept. */
  endpoint(type: ServiceType, read: ReadDocument): Promise<Endpoint> {
    const known = this.#endpoints.get(type);
    if (known) return known;
    const found = this.#discover(type, read);
    this.#endpoints.set(type, found);
    found.catch(() => this.#endpoints.delete(type));
    return found;
  }

  async #discover(type: ServiceType, read: ReadDocument): Promise<Endpoint> {
    const url = endpointOf(this.#login.catalog, type, this.config);
    if (!URL.canParse(url)) {
      throw new StackferryError(
        'cloud.no_service',
        `The catalog's address of the ${type} service is not a URL: ${url}`,
        {
          hint: `Set ${type.replaceAll('-', '_')}_endpoint_override in clouds.yaml, and tell the operator.`,
        },
      );
    }
    const { base, document } = versionedUrl(type, url, this.#login.project.id);
    if (type !== 'compute' && type !== 'block-storage') return { base, microversion: null };
    const offered = microversionsIn(type, await read(document));
    return { base, microversion: chooseMicroversion(type, offered, this.config.maxMicroversions[type]) };
  }
}
