import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../../../shared/facts/recordings');

/** Outputs of real hosts, where the folder is there: name and text without the first line, which names the source. */
export function recordings(prefix: string): { name: string; text: string; bytes: Buffer }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      return { name, bytes, text: bytes.toString('utf8').replace(/^# source:.*\n/, '') };
    });
}
