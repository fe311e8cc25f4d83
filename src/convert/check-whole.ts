import type { Context } from '../core/index.js';
import { qemuImg } from './qemu-img.js';
import { sourceError, type SourceFile } from './source.js';
import type { SourceFormat } from './types.js';

/** What `qemu-img check` knows; of a VHD the footer at its end tells that the end is there. */
const CHECKED: readonly SourceFormat[] = ['qcow2', 'vdi', 'vhdx'];
/** Exit statuses of `qemu-img check` (its manual): errors were found; only leaks were found, which cost no byte. */
const ERRORS = 2;
const LEAKS = 3;

/**
 * Refuses an image whose tables are damaged or that was cut short: QEMU reads zeros behind the end of a file. Reads the
 * tables only. `check` counts whole clusters, and of a VDI nothing behind its tables, so each place that the map names is
 * compared with the size of the file, too.
 * @throws StackferryError `convert.damaged_source`; `convert.failed` where qemu-img cannot open the image at all.
 */
export async function assertWhole(file: SourceFile, format: SourceFormat, ctx: Context): Promise<void> {
  const { path } = file;
  const refuse = (why: string) =>
    sourceError(
      'convert.damaged_source',
      path,
      why,
      'Copy it again. If it is so where it comes from, too: qemu-img check -r all, on a copy of it.',
    );
  if (CHECKED.includes(format)) {
    const { exitCode } = await qemuImg(['check', '--output=json', '-f', format, path], ctx, {
      what: `check ${path}`,
      expected: [ERRORS, LEAKS],
    });
    if (exitCode === ERRORS) throw refuse(`is damaged or was cut short: qemu-img check -f ${format} finds errors`);
  }
  let end = 0;
  await qemuImg(['map', '--output=json', '-f', format, path], ctx, {
    what: `map ${path}`,
    onLine: (line) => {
      const match = /"length": (\d+),.*"data": true, "offset": (\d+)/.exec(line);
      if (match) end = Math.max(end, Number(match[2]) + Number(match[1]));
    },
  });
  if (end > file.bytes) throw refuse(`was cut short: its data reach to byte ${end}, and it has ${file.bytes}`);
}
