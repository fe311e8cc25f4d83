import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StackferryError, UsageError, messageOf, systemCode } from '../../core/index.js';
import type { PlanDocument } from '../../migration/plan/document/index.js';
import type { App } from '../app.js';

/** The plan file that an argument names. */
export async function readPlanFile(app: Pick<App, 'cwd'>, path: string): Promise<PlanDocument> {
  const { parsePlan } = await import('../../migration/plan/document/index.js');
  let text: string;
  try {
    text = await readFile(resolve(app.cwd, path), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      throw new UsageError(`There is no plan ${path}.`, 'Make one: stackferry plan --vm NAME -o FILE');
    }
    throw new StackferryError('plan.unreadable', `The plan ${path} cannot be read: ${messageOf(error)}`, {
      hint: 'Name a file that you may read.',
      exitCode: 2,
      cause: error,
    });
  }
  return parsePlan(text, path);
}
