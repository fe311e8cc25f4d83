import { isTreeMap, type Tree } from './files.js';

/** The settings of one cloud by their names in clouds.yaml, those below `auth` beside the others. */
export type Settings = Map<string, string>;

/** Variables that choose a configuration and are none themselves. */
const SELECTORS = new Set([
  'OS_CLOUD',
  'OS_CLOUD_NAME',
  'OS_CLIENT_CONFIG_FILE',
  'OS_CLIENT_SECURE_FILE',
  'OS_CLIENT_VENDOR_FILE',
]);

/** `OS_PROJECT_NAME=x` as `project_name: x`. An empty variable counts as unset. */
export function settingsFromEnv(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Settings = new Map();
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('OS_') || SELECTORS.has(variable) || value === undefined || value === '') continue;
    settings.set(variable.slice(3).toLowerCase(), value);
  }
  return normalize(settings);
}

/**
 * One entry of clouds.yaml as settings. `regions` (a list of names, or of maps with `name` and `values`) becomes
 * `regions`, joined by newlines; the values of the region that counts are laid over the rest.
 */
export function flatten(entry: Readonly<Record<string, Tree>>): Settings {
  const settings: Settings = new Map();
  const put = (tree: Readonly<Record<string, Tree>>): void => {
    for (const [key, value] of Object.entries(tree)) {
      if (typeof value === 'string' && value !== '') settings.set(key, value);
    }
  };
  put(entry);
  if (isTreeMap(entry['auth'])) put(entry['auth']);
  const regions = Array.isArray(entry['regions']) ? entry['regions'] : [];
  const named = regions.map((region) =>
    isTreeMap(region)
      ? { name: typeof region['name'] === 'string' ? region['name'] : '', values: region['values'] }
      : { name: typeof region === 'string' ? region : '', values: undefined },
  );
  if (named.length > 0) {
    settings.set('regions', named.map(({ name }) => name).join('\n'));
    const chosen = named.find(({ name }) => name === settings.get('region_name')) ?? named[0];
    if (!settings.has('region_name') && chosen) settings.set('region_name', chosen.name);
    if (chosen && isTreeMap(chosen.values)) {
      put(chosen.values);
      if (isTreeMap(chosen.values['auth'])) put(chosen.values['auth']);
    }
  }
  return normalize(settings);
}

/** Old and other names of the same settings. Source: openstacksdk, `_fix_backwards_*`. */
const SYNONYMS: Record<string, string> = {
  tenant_id: 'project_id',
  tenant_name: 'project_name',
  project: 'project_name',
  user_name: 'username',
  user: 'username',
  endpoint_type: 'interface',
  region: 'region_name',
  default_domain_id: 'default_domain',
  auth_plugin: 'auth_type',
};

/** The same settings under their present names; a present name wins over an old one. */
export function normalize(settings: Settings): Settings {
  const result: Settings = new Map(settings);
  for (const [old, present] of Object.entries(SYNONYMS)) {
    const value = result.get(old);
    if (value === undefined) continue;
    if (!result.has(present)) result.set(present, value);
    result.delete(old);
  }
  return result;
}

/** Text as openstacksdk reads booleans; also the spellings of YAML 1.1. */
export function booleanOf(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  return /^(true|yes|on|1|y)$/i.test(text.trim());
}
