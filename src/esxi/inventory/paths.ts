import type { DatastoreRecord } from './schema.js';

const ROOT = '/vmfs/volumes/';

/**
 * How the host spells paths: `/vmfs/volumes/UUID/…`, `/vmfs/volumes/LABEL/…` (a symbolic link), relative to the folder
 * of the file that names it, or the datastore form `[LABEL] …`. Inside, a path is absolute and normalised; outside, it
 * has the datastore form.
 */
export class DatastorePaths {
  readonly #volumeByLabel = new Map<string, string>();
  readonly #labelByVolume = new Map<string, string>();

  /** `links` are the symbolic links under /vmfs/volumes: label to volume. */
  constructor(datastores: readonly DatastoreRecord[], links: ReadonlyMap<string, string>) {
    for (const [label, volume] of links) this.#add(label, volume);
    for (const { name, uuid } of datastores) if (uuid !== null) this.#add(name, uuid);
  }

  #add(label: string, volume: string): void {
    if (!this.#volumeByLabel.has(label)) this.#volumeByLabel.set(label, volume);
    this.#labelByVolume.set(volume, label);
  }

  /**
   * The absolute path of what `written` names, or null where it leads out of `/vmfs/volumes/VOLUME/`. A relative path
   * starts at `folder` (absolute).
   */
  resolve(written: string, folder: string | null): string | null {
    if (written === '' || written.includes('\0')) return null;
    const named = this.#split(written);
    // A file's own name may begin with a bracket: next to a folder only a label that exists is one.
    if (named && (folder === null || this.#knows(named.label))) {
      const { label, rest } = named;
      if (label === '') return rest.startsWith('/') ? this.resolve(rest, null) : null;
      return label.includes('/') ? null : this.#normalise(`${ROOT}${label}/${rest}`);
    }
    if (written.startsWith('/')) return this.#normalise(written);
    return folder === null ? null : this.#normalise(`${folder}/${written}`);
  }

  /** `[LABEL] REST`; a label may hold brackets itself, so of all places where it could end one that is known is taken. */
  #split(written: string): { label: string; rest: string } | null {
    if (!written.startsWith('[')) return null;
    const ends = [...written.slice(0, 1024).matchAll(/\] ?/g)].map(({ index, 0: end }) => ({
      label: written.slice(1, index),
      rest: written.slice(index + end.length),
    }));
    return ends.find(({ label }) => this.#knows(label)) ?? ends[0] ?? null;
  }

  #knows(volume: string): boolean {
    return volume === '' || this.#volumeByLabel.has(volume) || this.#labelByVolume.has(volume);
  }

  #normalise(path: string): string | null {
    if (!path.startsWith(ROOT)) return null;
    const parts: string[] = [];
    for (const part of path.slice(ROOT.length).split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        // Never above the datastore, whatever comes after.
        if (parts.length < 2) return null;
        parts.pop();
      } else parts.push(part);
    }
    const [volume, ...rest] = parts;
    if (volume === undefined || rest.length === 0) return null;
    return `${ROOT}${this.#volumeByLabel.get(volume) ?? volume}/${rest.join('/')}`;
  }

  /** The datastore form of an absolute path under /vmfs/volumes. */
  toDatastore(absolute: string): string {
    const [volume = '', ...rest] = absolute.slice(ROOT.length).split('/');
    return `[${this.#labelByVolume.get(volume) ?? volume}] ${rest.join('/')}`;
  }

  /** The datastore's name in an absolute path. */
  datastoreOf(absolute: string): string {
    const volume = absolute.slice(ROOT.length).split('/')[0] ?? '';
    return this.#labelByVolume.get(volume) ?? volume;
  }
}

/** The folder of an absolute path. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/**
 * The path that a shell on the host opens for a datastore path: `[datastore1] a/b.vmdk` is
 * `/vmfs/volumes/datastore1/a/b.vmdk`. Null for text of another form and for a path that leaves its datastore.
 */
export function absolutePath(datastorePath: string): string | null {
  return new DatastorePaths([], new Map()).resolve(datastorePath, null);
}

/** Reads `ls -l /vmfs/volumes`: the labels, which are symbolic links to volumes. */
export function parseVolumeLinks(text: string): Map<string, string> {
  const links = new Map<string, string>();
  for (const line of text.split('\n')) {
    // type and mode, links, owner, group, size, month, day, time or year, NAME -> TARGET
    const match = /^l\S+\s+\d+\s+\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+\S+\s(.+) -> (\S.*?)\s*$/.exec(line);
    const label = match?.[1]?.trim();
    const volume = match?.[2]?.replace(/\/+$/, '').split('/').at(-1);
    if (label && volume) links.set(label, volume);
  }
  return links;
}
