import type { Secret } from '../../core/index.js';

/** A project or domain, by id or by name (a project's name needs its domain). */
export interface DomainRef {
  id?: string;
  name?: string;
}
export interface ProjectRef extends DomainRef {
  domain?: DomainRef;
}

/** How Keystone is asked for a token. */
export type AuthMethod =
  | { type: 'password'; user: { id?: string; name?: string; domain?: DomainRef }; password: Secret }
  | { type: 'token'; token: Secret }
  | {
      type: 'application_credential';
      id?: string;
      name?: string;
      /** With a name: whose credential it is. */
      user?: { id?: string; name?: string; domain?: DomainRef };
      secret: Secret;
    };

/** What the token shall be good for. An application credential has its scope in itself; without one the user's default
 *  project counts. */
export type Scope = { type: 'project'; project: ProjectRef } | { type: 'trust'; id: string } | { type: 'own' };

/** Everything that is needed to speak to one cloud, as the configuration gives it. */
export interface CloudConfig {
  /** The name in clouds.yaml; null when it came from `OS_*` variables alone. */
  name: string | null;
  /** Where it came from, for messages: paths and variables. */
  sources: string[];
  authUrl: string;
  auth: AuthMethod;
  scope: Scope;
  region: string | null;
  interface: 'public' | 'internal' | 'admin';
  verify: boolean;
  /** Paths of PEM files. */
  cacert: string | null;
  cert: string | null;
  key: string | null;
  /** By official service type (`block-storage`): a URL instead of the catalog's. */
  endpointOverrides: Record<string, string>;
  /** By official service type: the microversion (`2.79`) not to go beyond. */
  maxMicroversions: Record<string, string>;
  /** Proxies, as in `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
  proxy: { http: string | null; https: string | null; no: string[] };
  /** What a person should know about this configuration. */
  warnings: { code: string; message: string; hint?: string }[];
}
