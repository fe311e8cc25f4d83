import { join } from 'node:path';
import { isMap, isScalar, parseDocument, visit } from 'yaml';
import { StackferryError } from '../../core/index.js';
import type { LoadCloudConfig } from './load.js';

/** A tree of text, lists and maps, as the YAML reader leaves it: no value is turned into a number or a boolean. */
export type Tree = string | null | Tree[] | { [key: string]: Tree };
export type TreeMap = Record<string, Tree>;

export interface ConfigFile {
  path: string;
  mode: number;
  content: TreeMap;
}

/**
 * The first of the files that is there: the one the environment names, then `.`, the user's configuration folder and
 * `/etc/openstack`, in each `.yaml`, `.yml`, `.json`. Source: openstacksdk, "Configuration files".
 */
export async function findFile(
  options: LoadCloudConfig,
  name: string,
  override: string | undefined,
): Promise<ConfigFile | undefined> {
  const { env, cwd, home } = options;
  const folders = [
    cwd,
    ...(env['XDG_CONFIG_HOME'] ? [join(env['XDG_CONFIG_HOME'], 'openstack')] : []),
    join(home, '.config', 'openstack'),
    '/etc/openstack',
  ];
  const candidates = folders.flatMap((folder) => ['yaml', 'yml', 'json'].map((ext) => join(folder, `${name}.${ext}`)));
  for (const path of override === undefined || override === '' ? candidates : [override, ...candidates]) {
    const file = await options.readFile(path);
    if (file) return { path, mode: file.mode, content: parseTree(path, file.text) };
  }
  return undefined;
}

/**
 * Reads YAML without guessing types: a password `0123` stays as it was typed. Only a plain null (`~`, nothing) is
 * null. Merge keys (`<<`) work, as people share settings between clouds by them.
 */
function parseTree(path: string, text: string): TreeMap {
  const document = parseDocument(text, { schema: 'failsafe', merge: true });
  const [error] = document.errors;
  if (error) {
    throw new StackferryError('config.invalid', `${path} is not valid YAML: ${error.message.split('\n')[0] ?? ''}`, {
      hint: 'Correct the file; `openstack config show` reads the same one.',
    });
  }
  visit(document, {
    Pair(_key, pair) {
      const { value } = pair;
      if (
        value === null ||
        (isScalar(value) && value.type === 'PLAIN' && /^(~|null|Null|NULL)?$/.test(String(value.value)))
      ) {
        pair.value = document.createNode(null);
      }
    },
  });
  if (document.contents === null) return {};
  if (!isMap(document.contents)) {
    throw new StackferryError('config.invalid', `${path} does not hold a map of clouds.`, {
      hint: 'It begins with `clouds:`, and below it one entry a cloud.',
    });
  }
  return underscored(document.toJS() as TreeMap) as TreeMap;
}

/** Keys may be written with dashes; names of clouds and profiles stay as they are. */
function underscored(tree: Tree, depth = 0): Tree {
  if (Array.isArray(tree)) return tree.map((item) => underscored(item, depth + 1));
  if (tree === null || typeof tree === 'string') return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [
      depth === 1 ? key : key.replaceAll('-', '_'),
      underscored(value, depth + 1),
    ]),
  );
}

/** `over` laid on `base`, map by map; what is null in `over` leaves `base` as it is. */
export function merge(base: TreeMap, over: TreeMap): TreeMap {
  const merged: TreeMap = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    if (isTreeMap(value) && isTreeMap(below)) merged[key] = merge(below, value);
    else if (value !== null) merged[key] = value;
  }
  return merged;
}

export function isTreeMap(tree: Tree | undefined): tree is TreeMap {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}
