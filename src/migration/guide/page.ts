import { guideOf } from './guide-of.js';
import { headOf, plain } from './text.js';
import type { GuideCommand, GuideInput, GuideStep } from './types.js';
import { shellWord } from './words.js';

/** The guide as a page to read and paste from (Markdown). */
export function guidePage(input: GuideInput): string {
  const head = headOf(input);
  const steps = guideOf(input);
  const blocked =
    head.blockers.length === 0
      ? []
      : [
          '**This cannot work as the VM is now**, and `migrate` refuses it. Remove what stands in the way, and make this guide anew:',
          '',
          ...head.blockers.map((blocker) => `- ${prose(blocker)}`),
          '',
        ];
  const notes =
    head.notes.length === 0 ? [] : ['Before you begin:', '', ...head.notes.map((note) => `- ${prose(note)}`), ''];
  return [
    `# ${prose(head.title)}`,
    '',
    prose(input.origin),
    '',
    ...head.facts.map((fact) => `- ${prose(fact)}`),
    '',
    ...blocked,
    `You need bash, \`ssh\`, \`qemu-img\` and \`openstack\` (python3-openstackclient)${input.via === 'cinder' ? ' as root on a server of the project' : ''}, and one shell for all of it: the steps keep ids in variables. Go on to the next step when the check of the last one holds. \`stackferry migrate\` does the same, proves more, and goes on where it was stopped.`,
    '',
    ...notes,
    ...steps.flatMap((step, index) => [...stepText(step, index + 1), '']),
    ...undoAll(steps),
  ].join('\n');
}

function stepText(step: GuideStep, number: number): string[] {
  const later = step.later ? ' (later)' : '';
  return [
    `## ${number}. ${prose(step.title)}${later}`,
    '',
    prose(step.why),
    ...block(step.commands.filter((one) => one.kind !== 'note').map(typed)),
    '',
    `**check:** ${prose(step.check.text)}`,
    ...block(step.check.commands.filter((one) => one.kind !== 'note').map(typed)),
    '',
    `**undo:** ${prose(step.undo.text)}`,
    ...block(step.undo.commands.map(({ text }) => text)),
  ];
}

/** All that the guide has made, newest first. */
function undoAll(steps: readonly GuideStep[]): string[] {
  const lines = steps
    .filter((step) => !step.later)
    .toReversed()
    .flatMap((step) => step.undo.commands.filter(({ byHand }) => !byHand).map(({ text }) => text));
  return [
    '## Take it all back',
    '',
    'Newest first. The VM on the host is as it was; start it again there if it ran before.',
    ...block(lines),
    '',
  ];
}

function block(commands: readonly string[]): string[] {
  if (commands.length === 0) return [];
  const text = commands.join('\n');
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return ['', `${fence}sh`, text, fence];
}

/** A command as a person types it. */
function typed(command: Exclude<GuideCommand, { kind: 'note' }>): string {
  switch (command.kind) {
    case 'run':
    case 'check':
      return command.text;
    case 'make':
    case 'ask':
      return `${command.variable}=$(${command.text}); echo "$${command.variable}"`;
    case 'file':
      return command.text(command.path);
    case 'wait': {
      const ends = [command.wanted, ...(command.failed === null ? [] : [command.failed])].join('|');
      return `until ${command.text} | grep -E ${shellWord(ends)}; do sleep 5; done`;
    }
  }
}

/** Text in which nothing is markup. */
function prose(text: string): string {
  return plain(text)
    .replace(/[\\`*[\]<&|~]/g, '\\$&')
    .replace(/(?<!\w)_|_(?!\w)/g, '\\_')
    .replace(/^([#>+-])/, '\\$1')
    .replace(/^(\d+)([.)])/, '$1\\$2');
}
