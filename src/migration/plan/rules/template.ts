import { UsageError } from '../../../core/index.js';
import type { VmRecord } from '../../../esxi/index.js';

const known = ['name', 'id', 'uuid', 'host'] as const;

/**
 * Fills in `{name}`, `{id}`, `{uuid}` and `{host}`; `{{` and `}}` stand for single braces.
 * @throws UsageError for another word in braces.
 */
export function expandTemplate(template: string, vm: Pick<VmRecord, 'name' | 'id' | 'uuid'>, host: string): string {
  const values = { name: vm.name, id: vm.id, uuid: vm.uuid ?? '', host };
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, word: string | undefined) => {
    if (whole === '{{') return '{';
    if (whole === '}}') return '}';
    const key = known.find((item) => item === word);
    if (key !== undefined) return values[key];
    throw new UsageError(
      `"${template}" has {${word ?? ''}}, which stands for nothing.`,
      `Use ${known.map((item) => `{${item}}`).join(', ')}; write {{ and }} for braces.`,
    );
  });
}

/** Whether a template gives each VM a name of its own. */
export function tellsApart(template: string): boolean {
  return /\{(name|id|uuid)\}/.test(template.replaceAll('{{', ''));
}
