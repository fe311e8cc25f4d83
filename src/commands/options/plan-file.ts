import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StackferryError, UsageError, messageOf, systemCode } from '../../core/index.js';
import type { PlanDocument } from '../../migration/plan/document/index.js';
import type { MappingRules } from '../../migration/plan/rules/index.js';
import type { App } from '../app.js';

/** The plan file that an argument names. */
export async function readPlanFile(app: Pick<App, 'cwd'>, path: string): Promise<PlanDocument> {
  const { parsePlan } = await import('../../migration/plan/document/index.js');
  return parsePlan(await readText(app, path, 'plan', 'Make one: stackferry plan --vm NAME -o FILE'), path);
}

/** The file of mapping rules that `--rules` names. */
export async function readRulesFile(app: Pick<App, 'cwd'>, path: string): Promise<MappingRules> {
  const { parseRules } = await import('../../migration/plan/rules/index.js');
  const text = await readText(app, path, 'file of mapping rules', 'What it may hold: stackferry plan --rules-schema');
  return parseRules(text, path);
}

async function readText(app: Pick<App, 'cwd'>, path: string, what: string, hint: string): Promise<string> {
  try {
    return await readFile(resolve(app.cwd, path), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new UsageError(`There is no ${what} ${path}.`, hint);
    throw new StackferryError('input.unreadable', `The ${what} ${path} cannot be read: ${messageOf(error)}`, {
      hint: 'Name a file that you may read.',
      exitCode: 2,
      cause: error,
    });
  }
}
