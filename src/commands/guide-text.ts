import type { GuideInput } from '../migration/guide/index.js';
import { guidePage, guideScript } from '../migration/guide/index.js';
import { findingLine } from './plan-file-text.js';

/** The two forms of a guide. */
export type GuideFormat = 'md' | 'sh';

export function renderGuide(format: GuideFormat, input: GuideInput): string {
  return format === 'sh' ? guideScript(input) : guidePage(input);
}

/** What a person does with it, told beside it. */
export function guideHint(format: GuideFormat): string {
  return format === 'sh'
    ? 'Read it first. It changes nothing before it is run: sh FILE. It takes back what it made: sh FILE undo\n'
    : 'Nothing was changed. The same as a script: -f sh\n';
}

/** Why its steps cannot work: the blockers that stand, and what to do about each. */
export function blockedLines({ vm, blockers }: GuideInput): string[] {
  return [
    ...blockers.map((blocker) => findingLine(vm.name, blocker)),
    'It cannot move as it is: the steps are to be read, and not to be done. As a script they stop before the first.\n',
  ];
}
