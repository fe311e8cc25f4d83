import type { ByteSource, DiskLayout, Segment } from '../disk-layout.js';
import { RangeListBuilder, type RangeList } from '../ranges.js';
import { checkLinks, openLinks, type LayoutOptions } from './chain.js';
import { WalkClaims } from './claims.js';
import type { Walk } from './extent-map.js';
import type { LinkMap, VmdkLink } from './link-map.js';
import { PARENT, lookups, overlay, pushRun, type Run } from './runs.js';

/**
 * A disk of flat, hosted sparse, vmfsSparse and seSparse extents, or a chain of such (whose deltas are vmfsSparse or
 * seSparse), as one: `links` from the base to the newest. Reads the headers of sparse files; tables are read when they
 * are needed. Every place that is given lies inside its file. Throws `disk.unsupported` for other kinds (stream-optimized
 * files, which {@link openStreamOptimized} reads, raw device mappings),
 * `disk.chain_broken` for links that do not belong together, `disk.bad_descriptor` and `disk.short_file` for files that
 * are not what their descriptors say.
 */
export async function vmdkLayout(
  links: readonly VmdkLink[],
  files: readonly ByteSource[],
  options: LayoutOptions = {},
): Promise<DiskLayout> {
  checkLinks(links);
  return new ChainLayout(await openLinks(links, files, options));
}

class ChainLayout implements DiskLayout {
  readonly capacityBytes: number;
  readonly #links: readonly LinkMap[];

  constructor(links: readonly LinkMap[]) {
    this.#links = links;
    this.capacityBytes = links.at(-1)?.bytes ?? 0;
  }

  async dataRanges(): Promise<RangeList> {
    const walk: Walk = { claims: new WalkClaims() };
    const data = new RangeListBuilder();
    for (let at = 0; at < this.capacityBytes;) {
      let length = this.capacityBytes - at;
      for (const link of this.#links) length = Math.min(length, await link.window(at));
      for (const run of await this.#resolve(this.#links.length - 1, at, length, walk)) {
        if (run.file >= 0) data.add(run.offset, run.length);
      }
      at += length;
    }
    return data.build();
  }

  async locate(offset: number, length: number): Promise<Segment[]> {
    const segments: Segment[] = [];
    for (const part of lookups(offset, length, this.capacityBytes)) {
      for (const run of await this.#resolve(this.#links.length - 1, part.offset, part.length, { claims: null })) {
        if (run.file >= 0) pushRun(segments, run.offset, run.length, run.file, run.position);
      }
    }
    return segments;
  }

  /** The runs of one link and of what lies below it; lower links are asked only where upper ones say nothing. */
  async #resolve(level: number, offset: number, length: number, walk: Walk): Promise<Run[]> {
    const own = (await this.#links[level]?.runs(offset, length, walk)) ?? [];
    const first = own.find(({ file }) => file === PARENT);
    const last = own.findLast(({ file }) => file === PARENT);
    if (!first || !last) return own;
    if (level === 0) return overlay(own, []);
    const below = await this.#resolve(level - 1, first.offset, last.offset + last.length - first.offset, walk);
    return overlay(own, below);
  }
}
