import { UsageError } from '../../../core/index.js';
import { readYaml } from '../read-yaml.js';
import { RULES_VERSION, mappingRules, type MappingRules } from './schema.js';

/**
 * Reads a file of mapping rules (YAML or JSON).
 * @throws UsageError that names the line and what is wrong with it.
 */
export function parseRules(text: string, path: string): MappingRules {
  const wrong = (why: string) =>
    new UsageError(`${path} holds no mapping rules: ${why}.`, 'What they may hold: stackferry plan --rules-schema');
  return readYaml(text, {
    schema: mappingRules,
    maxBytes: 1024 * 1024,
    tooLarge: 'it is larger than 1 MiB',
    version: RULES_VERSION,
    newer: (version) => wrong(`they are of version ${version}, and this program knows versions up to ${RULES_VERSION}`),
    wrong,
  });
}
