import { tmpdir } from 'node:os';
import type { Context } from '../core/index.js';
import { RangeList, layoutSource, type DiskSource } from '../disk/index.js';
import { checkSource } from './check-source.js';
import { mapRuns } from './map-runs.js';
import { openNbd, type OpenNbd } from './nbd-server.js';
import type { SourceFormat } from './types.js';

/** A local image of a format of other products, read in place as its guest sees it. */
export interface GuestDisk {
  readonly capacityBytes: number;
  readonly source: DiskSource;
  close(): Promise<void>;
}

/**
 * Checks an image as {@link checkSource} does, and reads it through a qemu-nbd of ours, which is started when the first
 * byte is wanted: nothing is converted, nothing is written.
 */
export async function openGuestDisk(
  path: string,
  format: Exclude<SourceFormat, 'vmdk' | 'raw'>,
  ctx: Context,
): Promise<GuestDisk> {
  // Only descriptors of VMDKs are written to the work folder, and this is none.
  const { capacityBytes } = await checkSource(path, format, tmpdir(), ctx);
  if (capacityBytes === null) throw new Error(`the size of ${path} is not known`);
  let server: Promise<OpenNbd> | null = null;
  let ranges: Promise<RangeList> | null = null;
  const dataRanges = () => (ranges ??= mapData(path, format, ctx));
  const bytes = {
    name: path,
    bytes: capacityBytes,
    read: async (position: number, length: number) =>
      (await (server ??= openNbd(path, format, ctx))).read(position, length),
  };
  const locate = (offset: number, length: number) => Promise.resolve([{ offset, length, file: 0, position: offset }]);
  return {
    capacityBytes,
    source: layoutSource({ capacityBytes, dataRanges, locate }, [bytes]),
    close: async () => {
      const running = await server?.catch(() => null);
      await running?.close();
    },
  };
}

async function mapData(path: string, format: string, ctx: Context): Promise<RangeList> {
  const runs = await mapRuns(path, format, ctx);
  return RangeList.from(runs.filter(({ zero }) => !zero).map(({ start, length }) => ({ offset: start, length })));
}
