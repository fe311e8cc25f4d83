import { UsageError, StackferryError } from '../../core/index.js';
import { findFile, isTreeMap, merge, type ConfigFile, type TreeMap } from './files.js';
import { flatten, normalize, settingsFromEnv, type Settings } from './settings.js';
import { resolveConfig } from './resolve.js';
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

/**
 * Finds and merges the configuration of a cloud as openstackclient does: an option wins over an `OS_*` variable, which
 * wins over secure.yaml, which wins over clouds.yaml, which wins over the profile it names in clouds-public.yaml.
 * Without a name, `OS_AUTH_URL` and its siblings are the cloud; without those, a single cloud in the file is.
 *
 * Throws `config.no_cloud`, `config.unknown_cloud` (both list the names), `config.invalid`, `config.incomplete`,
 * `config.unsupported` (each says what and why).
 */
export async function loadCloudConfig(options: LoadCloudConfig): Promise<CloudConfig> {
  const { env } = options;
  const clouds = await findFile(options, 'clouds', env['OS_CLIENT_CONFIG_FILE']);
  const secure = await findFile(options, 'secure', env['OS_CLIENT_SECURE_FILE']);
  const entries = merge(section(clouds, 'clouds'), section(secure, 'clouds'));
  const names = Object.keys(entries).sort();
  const fromEnv = settingsFromEnv(env);
  const envName = env['OS_CLOUD_NAME'] ?? 'envvars';

  let name: string | null = options.cloud ?? nonEmpty(env['OS_CLOUD']) ?? null;
  const overrides = flatten(options.overrides ?? {});
  if (name === null && !fromEnv.has('auth_url') && !overrides.has('auth_url')) {
    const [only, ...others] = names;
    if (only === undefined) throw noCloud(clouds, env);
    if (others.length > 0) {
      throw new UsageError(
        `Which cloud? ${clouds?.path ?? 'clouds.yaml'} has ${names.join(', ')}.`,
        'Choose one with --os-cloud NAME or OS_CLOUD.',
      );
    }
    name = only;
  }
  if (name === envName && !(name in entries)) name = null;

  let settings: Settings = new Map();
  const sources: string[] = [];
  if (name !== null) {
    const entry = entries[name];
    if (!isTreeMap(entry)) throw unknownCloud(name, names, clouds, env);
    const profile = await profileOf(options, entry);
    settings = flatten(merge(profile?.settings ?? {}, entry));
    for (const file of [clouds, secure]) if (file && name in section(file, 'clouds')) sources.push(file.path);
    if (profile) sources.push(profile.path);
  }

  const warnings: CloudConfig['warnings'] = [];
  const shadowed = [...fromEnv].filter(([key, value]) => settings.has(key) && settings.get(key) !== value);
  if (shadowed.length > 0) {
    const variables = shadowed.map(([key]) => `OS_${key.toUpperCase()}`).join(', ');
    warnings.push({
      code: 'config.env_overrides',
      message: `${variables} in the environment ${shadowed.length === 1 ? 'wins' : 'win'} over cloud ${String(name)} in ${sources[0] ?? 'clouds.yaml'}, as with openstackclient.`,
      hint: `Unset ${shadowed.length === 1 ? 'it' : 'them'} to use the file's settings.`,
    });
  }
  if (fromEnv.size > 0) sources.push('OS_* variables');
  if (overrides.size > 0) sources.push('--os-* options');
  settings = normalize(new Map([...settings, ...fromEnv, ...overrides]));

  for (const file of name === null ? [] : [clouds, secure]) {
    const entry = file ? section(file, 'clouds')[name ?? ''] : undefined;
    if (file && (file.mode & 0o004) !== 0 && isTreeMap(entry) && holdsSecret(flatten(entry))) {
      warnings.push({
        code: 'config.world_readable',
        message: `${file.path} holds a secret and can be read by every user of this machine.`,
        hint: `chmod 600 ${file.path}`,
      });
    }
  }
  return resolveConfig(settings, { name, sources, warnings, env, home: options.home, cwd: options.cwd });
}

function section(file: ConfigFile | undefined, key: string): TreeMap {
  const found = file?.content[key];
  if (found === undefined || found === null) return {};
  if (isTreeMap(found)) return found;
  throw new StackferryError('config.invalid', `\`${key}\` in ${file?.path ?? ''} is not a map of names.`, {
    hint: 'Each cloud is an entry: its name, and its settings indented below it.',
  });
}

/** The settings of the public cloud that an entry names with `profile` (or, of old, `cloud`). */
async function profileOf(
  options: LoadCloudConfig,
  entry: TreeMap,
): Promise<{ settings: TreeMap; path: string } | undefined> {
  const profile = entry['profile'] ?? entry['cloud'];
  if (typeof profile !== 'string' || profile === '') return undefined;
  const file = await findFile(options, 'clouds-public', options.env['OS_CLIENT_VENDOR_FILE']);
  const settings = section(file, 'public_clouds')[profile];
  if (file && isTreeMap(settings)) return { settings, path: file.path };
  throw new StackferryError(
    'config.unsupported',
    `The profile ${profile} was not found: only profiles of a clouds-public.yaml are known here, not openstacksdk's built-in ones or URLs.`,
    { hint: 'Write its auth_url and region_name into clouds.yaml, or add the profile to clouds-public.yaml.' },
  );
}

function holdsSecret(settings: Settings): boolean {
  return ['password', 'token', 'application_credential_secret'].some((key) => settings.has(key));
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** What to say where a file that the environment names is not the one that was found. */
function lostFile(clouds: ConfigFile | undefined, env: LoadCloudConfig['env']): string {
  const named = nonEmpty(env['OS_CLIENT_CONFIG_FILE']);
  return named === undefined || clouds?.path === named
    ? ''
    : ` OS_CLIENT_CONFIG_FILE names ${named}, which is not there.`;
}

function noCloud(clouds: ConfigFile | undefined, env: LoadCloudConfig['env']): StackferryError {
  const why = clouds
    ? `${clouds.path} names no cloud.`
    : 'No cloud is configured: no clouds.yaml was found and OS_AUTH_URL is not set.';
  return new StackferryError('config.no_cloud', `${why}${lostFile(clouds, env)}`, {
    exitCode: 2,
    hint: 'Put a clouds.yaml into this folder, ~/.config/openstack or /etc/openstack (most dashboards offer it under "API access"), or source an openrc file.',
  });
}

function unknownCloud(
  name: string,
  names: string[],
  clouds: ConfigFile | undefined,
  env: LoadCloudConfig['env'],
): StackferryError {
  const where = clouds ? clouds.path : 'clouds.yaml: none was found';
  return new StackferryError('config.unknown_cloud', `There is no cloud ${name} in ${where}.${lostFile(clouds, env)}`, {
    exitCode: 2,
    hint:
      names.length > 0
        ? `It has: ${names.join(', ')}.`
        : 'It is looked for in this folder, ~/.config/openstack and /etc/openstack.',
  });
}
