import type { CloudConfig } from './types.js';

export interface LoadCloudConfig {
  /** The environment: `OS_*`, `HTTP_PROXY` … */
  env: Readonly<Record<string, string | undefined>>;
  /** Where `./clouds.yaml` is looked for. */
  cwd: string;
  /** The user's home directory. */
  home: string;
  /** `--os-cloud`; wins over `OS_CLOUD`. */
  cloud?: string;
  /** `--os-*` options by the name of the key in clouds.yaml (`auth_url`, `project_name`, `region_name` …). */
  overrides?: Readonly<Record<string, string>>;
  /** Text and permission bits of a file; undefined where there is none. Throws where it cannot be read. */
  readFile: (path: string) => Promise<{ text: string; mode: number } | undefined>;
}

/** Finds and merges the configuration of a cloud as openstackclient does. */
export declare function loadCloudConfig(options: LoadCloudConfig): Promise<CloudConfig>;
