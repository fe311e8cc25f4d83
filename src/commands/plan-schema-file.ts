import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode, writeWhole } from '../core/index.js';
import { renderJson } from '../ui/index.js';

/**
 * The schema as the first line of a plan names it: a file beside the plan, so that plan and schema can be given to a
 * colleague, and no network is asked. The YAML language server takes `./NAME` from the folder of the file itself.
 */
export const SCHEMA_NAME = 'plan.schema.json';

/** Every version of the schema is called so (`$id`). */
const OURS = 'urn:stackferry:plan:';

/**
 * Puts the schema beside a plan that was just written. A file of that name which is none of ours stays, and the plan is
 * whole without: what keeps the schema from being written is told, and is no error.
 * @returns a line for a person; null where there is nothing to tell
 */
export async function writeSchemaBeside(planPath: string): Promise<string | null> {
  const path = join(dirname(planPath), SCHEMA_NAME);
  try {
    if (path === planPath || !(await stat(planPath)).isFile()) return null;
    const { planJsonSchema } = await import('../migration/plan/document/index.js');
    const text = renderJson(planJsonSchema());
    const before = await textOf(path);
    if (before === text) return null;
    if (before !== null && !isOurs(before)) {
      return `${SCHEMA_NAME} beside it is another file and stays as it is: editors will not complete the plan.`;
    }
    await writeWhole(path, text, { replace: before !== null });
    return `Wrote ${SCHEMA_NAME} beside it: editors complete and check the plan by it.`;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return `${SCHEMA_NAME} could not be written beside it (${code}): editors will not complete the plan.`;
  }
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function isOurs(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && '$id' in value && String(value.$id).startsWith(OURS);
  } catch {
    return false;
  }
}
