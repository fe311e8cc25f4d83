import { realpath } from 'node:fs/promises';
import type { ByteSource } from '../../disk/index.js';
import type { MemberBytes } from './byte-views.js';
import { slice } from './byte-views.js';
import { memberName, openBelow } from './confined.js';
import { packageError, unsafePath } from './faults.js';
import { openUrl, shownUrl, type UrlOptions } from './http-bytes.js';
import { tarIndex } from './tar.js';

/** Where the files of a package lie. The one way to open a file that a descriptor or manifest names. */
export interface Folder {
  /** For messages. */
  readonly name: string;
  /**
   * Opens a file by the name that `where` gives it. Throws `package.missing_file` where there is none,
   * `package.unsafe_path` where it would lie elsewhere.
   */
  open(name: string, where: string): Promise<MemberBytes>;
  /** All files in their order, where the form of the package tells them. */
  readonly entries: readonly string[] | null;
}

/** A folder on this machine. */
export async function localFolder(path: string): Promise<Folder> {
  const root = await realpath(path);
  return { name: root, entries: null, open: (name, where) => openBelow(root, name, where) };
}

/** The files of an OVA, read in place: none is unpacked. Throws as {@link tarIndex} does. */
export async function ovaFolder(archive: ByteSource): Promise<Folder> {
  const index = await tarIndex(archive);
  return {
    name: archive.name,
    entries: index.map(({ name }) => name),
    open(told, where) {
      const name = memberName(told, where);
      const entry = index.find((known) => known.name === name);
      if (!entry) {
        return Promise.reject(
          packageError(
            'package.missing_file',
            where,
            `names the file ${JSON.stringify(name)}, which is not in ${archive.name}`,
          ),
        );
      }
      return Promise.resolve(slice(archive, `${archive.name}:${name}`, entry.position, entry.bytes));
    },
  };
}

/** What lies beside and below a file behind a URL. Each file must answer to ranges, as the first one did. */
export function urlFolder(file: URL, options: UrlOptions): Folder {
  const base = new URL('.', file);
  return {
    name: shownUrl(base),
    entries: null,
    async open(told, where) {
      const name = memberName(told, where);
      const url = new URL(base);
      url.pathname += name.split('/').map(encodeURIComponent).join('/');
      // A link that was signed for one file opens no other, but a token for a folder does.
      url.search = file.search;
      if (!url.pathname.startsWith(base.pathname)) throw unsafePath(where, told, 'which leads out of the package');
      const opened = await openUrl(url, options);
      if (opened.bytes) return opened.bytes;
      throw packageError(
        'package.no_ranges',
        shownUrl(url),
        'cannot be read in parts: its server does not answer to ranges',
        'Download the files of the VM into one folder and give that, or put them into one OVA.',
      );
    },
  };
}
