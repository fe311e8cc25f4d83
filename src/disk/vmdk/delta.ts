import type { ByteSource, Segment } from '../disk-layout.js';
import { RangeListBuilder, type Range, type RangeList } from '../ranges.js';
import { openLinks } from './chain.js';
import { WalkClaims } from './claims.js';
import type { Walk } from './extent-map.js';
import { unsupported } from './faults.js';
import type { VmdkLink } from './link-map.js';
import { PARENT, ZEROS, lookups, pushRun, type Run } from './runs.js';

/** One delta by itself, as what it changed of the disk below it. */
export interface DeltaLayout {
  readonly capacityBytes: number;
  /** What may have been changed, explicit zeros among it; outside of it nothing was. Bounded: see {@link RangeList}. */
  readonly changed: RangeList;
  /** Where the changed bytes of `[offset, offset + length)` lie that are no explicit zeros, in order. */
  locate(offset: number, length: number): Promise<Segment[]>;
  /** What of `[offset, offset + length)` was made zeros. What is neither here nor located is as it was below. */
  zeros(offset: number, length: number): Promise<Range[]>;
}

/** A single delta (vmfsSparse or seSparse) read as what it changed. Throws as {@link vmdkLayout} does. */
export async function deltaLayout(link: VmdkLink, files: readonly ByteSource[]): Promise<DeltaLayout> {
  const other = link.descriptor.extents.find(({ type }) => type !== 'VMFSSPARSE' && type !== 'SESPARSE');
  if (other) throw unsupported(other.fileName ?? 'The disk', `is no delta: its extent is ${other.type}`);
  const [map] = await openLinks([link], files, {});
  if (!map) throw new RangeError('a delta has one link');
  const walk: Walk = { claims: new WalkClaims() };
  const changed = new RangeListBuilder();
  for (let at = 0; at < map.bytes;) {
    const length = await map.window(at);
    for (const run of await map.runs(at, length, walk)) {
      if (run.file !== PARENT) changed.add(run.offset, run.length);
    }
    at += length;
  }
  const pick = async (offset: number, length: number, wanted: (file: number) => boolean): Promise<Run[]> => {
    const found: Run[] = [];
    for (const part of lookups(offset, length, map.bytes)) {
      for (const run of await map.runs(part.offset, part.length, { claims: null })) {
        if (wanted(run.file)) pushRun(found, run.offset, run.length, run.file, run.position);
      }
    }
    return found;
  };
  return {
    capacityBytes: map.bytes,
    changed: changed.build(),
    locate: (offset, length) => pick(offset, length, (file) => file >= 0),
    zeros: async (offset, length) =>
      (await pick(offset, length, (file) => file === ZEROS)).map((run) => ({ offset: run.offset, length: run.length })),
  };
}
