import { guideOf } from './guide-of.js';
import { shown, workFolder } from './names.js';
import { sharedLogin } from './source-steps.js';
import { headOf, plain, wrapped } from './text.js';
import type { GuideCommand, GuideInput, GuideStep, UndoCommand } from './types.js';
import { shellWord } from './words.js';

/**
 * The guide as a script for a POSIX shell. It stops at the first thing that is wrong; run again, it goes on with the
 * ids and files that it has; `undo` takes back what it made. There is no secret in it.
 */
export function guideScript(input: GuideInput): string {
  const head = headOf(input);
  const steps = guideOf(input);
  const blocks = steps.map((step, index) => (step.later ? laterText(step, index + 1) : stepText(step, index + 1)));
  return [
    '#!/bin/sh',
    ...comment(head.title),
    ...comment(input.origin),
    '#',
    ...head.facts.flatMap((fact) => comment(fact)),
    '#',
    ...comment(
      'Run it with sh, in a place with room; it makes a folder there. Stopped, it goes on when it is run again. With the word undo behind its name it takes back what it made: the file ids in that folder has a line for each; delete one by hand, and take its line out. Passwords are asked for by ssh; who you are in the cloud comes from OS_CLOUD or the other OS_* variables.',
    ),
    ...head.notes.flatMap((note) => ['#', ...comment(`Before you begin: ${note}`)]),
    '',
    ...preamble(input, head.blockers),
    '',
    ...undoText(input, steps),
    ...blocks.flatMap((lines) => ['', ...lines]),
    '',
    `say 'Done. Take it back: sh "'"$0"'" undo'`,
    '',
  ].join('\n');
}

function comment(text: string): string[] {
  return wrapped(text).map((line) => `# ${line}`);
}

/** Every line of a command that is not to run; text within quotes may have lines of its own. */
function asComment(text: string): string[] {
  return text.split(/\r\n|\n|\r/).map((line) => `#   ${line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')}`);
}

function preamble(input: GuideInput, blockers: readonly string[]): string[] {
  const folder = workFolder(input.vm);
  const { host, vm, cloud } = input;
  const whose = plain(`${host.host} ${vm.id} ${vm.uuid ?? 'no uuid'} ${cloud?.project_id ?? 'no project'}`);
  return [
    'set -eu',
    'umask 077',
    ...(cloud?.variables ?? []).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    '',
    String.raw`say() { printf '\n== %s\n' "$*"; }`,
    String.raw`stop() { printf 'STOPPED: %s\n' "$*" >&2; exit 1; }`,
    '',
    ...blockedText(blockers),
    '# keep NAME: notes the id in $NAME, so that a second run, and undo, know it.',
    'keep() {',
    '  eval "id=\\$$1"',
    '  case $id in',
    '    "" | *[!0-9A-Za-z-]*) stop "$1: this is no id: $id" ;;',
    '  esac',
    `  echo "$1=$id" >> ids`,
    '}',
    '',
    '# drop NAME: what it stood for is gone.',
    'drop() {',
    '  grep -v "^$1=" ids > ids.new || :',
    '  mv ids.new ids',
    '}',
    '',
    '# wait_for SECONDS WHAT WANTED FAILED COMMAND…: runs it until it prints what fits WANTED (a regular expression), and stops where FAILED fits.',
    'wait_for() {',
    '  tries=$(($1 / 5)) what=$2 wanted=$3 failed=$4',
    '  shift 4',
    '  while :; do',
    '    state=$("$@") || :',
    String.raw`    if seen=$(printf '%s\n' "$state" | grep -aE -- "$wanted"); then break; fi`,
    String.raw`    if [ -n "$failed" ] && seen=$(printf '%s\n' "$state" | grep -aE -- "$failed"); then`,
    '      stop "waited for $what, and saw: $seen"',
    '    fi',
    '    [ "$tries" -gt 0 ] || stop "waited too long for $what; last seen: $(printf %s "$state" | tail -n 1)"',
    '    tries=$((tries - 1))',
    '    sleep 5',
    '  done',
    String.raw`  printf '%s: %s\n' "$what" "$seen"`,
    '}',
    '',
    '# One login for all commands on the host; it is closed at the end.',
    'mkdir -p -m 700 "$HOME/.ssh"',
    sharedLogin(input),
    'finish() {',
    '  code=$?',
    `  ssh -O exit ${loginText(input)} 2>/dev/null || :`,
    '  [ "$code" = 0 ] || echo "Nothing after this was done. Mend it and run this again; or take it back with: undo" >&2',
    '}',
    'trap finish EXIT',
    "trap 'exit 130' INT TERM",
    '',
    `for program in ssh qemu-img openstack sha256sum sha512sum${input.via === 'cinder' ? ' blockdev blkdiscard' : ''}; do`,
    '  command -v "$program" >/dev/null || stop "$program is not installed here"',
    'done',
    '',
    `mkdir -p ${folder}`,
    `cd ${folder}`,
    `whose=${shellWord(`# ${whose}`)}`,
    `[ -e ids ] || printf '%s\\n' "$whose" > ids`,
    `[ "$(head -n 1 ids)" = "$whose" ] || stop "$PWD/ids is of another VM or project: run this elsewhere"`,
    '. ./ids',
  ];
}

/** Where the VM cannot move as it is, the script ends before its first command. */
function blockedText(blockers: readonly string[]): string[] {
  if (blockers.length === 0) return [];
  return [
    '# This VM cannot move as it is: what follows is to be read, and not to be run.',
    ...blockers.map((text) => `printf '%s\\n' ${shellWord(plain(text))} >&2`),
    "stop 'this VM cannot move as it is (see above); remove what stands in the way, and make this script anew'",
    '',
  ];
}

function loginText({ host }: GuideInput): string {
  return [...(host.port === 22 ? [] : ['-p', String(host.port)]), shellWord(`${host.user}@${host.host}`)].join(' ');
}

function undoText(input: GuideInput, steps: readonly GuideStep[]): string[] {
  const done = steps.filter((step) => !step.later && step.undo.commands.length > 0);
  const name = input.server?.start === true ? shown(input.server.name) : null;
  const asked =
    name === null
      ? []
      : [
          '  if [ -n "${SERVER:-}" ]; then',
          `    printf 'The server has run, and may hold new data. Type its name to delete it: '`,
          '    IFS= read -r typed || :',
          `    [ "$typed" = ${shellWord(name)} ] || stop 'not deleted'`,
          '  fi',
        ];
  return [
    '# ---- undo: newest first ----',
    'if [ "${1:-}" = undo ]; then',
    ...asked,
    ...done.toReversed().flatMap(({ undo }) => undoOf(undo.commands)),
    '  rm -f ids',
    '  cd ..',
    `  rmdir ${workFolder(input.vm)} || :`,
    "  say 'All that this script made is gone. The VM on the host is as it was.'",
    '  exit 0',
    'fi',
  ];
}

function undoOf(commands: readonly UndoCommand[]): string[] {
  const [first] = commands;
  if (first?.byHand) return commands.flatMap(({ text }) => ['  # If you want that:', ...asComment(text)]);
  if (first?.variable === undefined) return commands.map(({ text }) => `  ${text}`);
  return [
    `  if [ -n "\${${first.variable}:-}" ]; then`,
    ...commands.map(({ text }) => `    ${text}`),
    `    drop ${first.variable}`,
    '  fi',
  ];
}

function stepText(step: GuideStep, number: number): string[] {
  const checks = step.check.commands.filter(({ page }) => !page);
  return [
    ...title(step, number),
    `say ${shellWord(plain(`${number}. ${step.title}`))}`,
    ...step.commands.filter(({ page }) => !page).flatMap(guarded),
    ...comment(`check: ${step.check.text}`),
    ...checks.flatMap(guarded),
    ...comment(`undo: ${step.undo.text}`),
    ...step.undo.commands.flatMap(({ text }) => asComment(text)),
  ];
}

function title(step: GuideStep, number: number): string[] {
  return [`# ---- ${plain(`${number}. ${step.title}`)} ----`, ...comment(step.why)];
}

/** What is not the script's to do, told. */
function laterText(step: GuideStep, number: number): string[] {
  const commands = [...step.commands, ...step.check.commands];
  return [
    ...title({ ...step, title: `${step.title} (later, by hand)` }, number),
    ...commands.flatMap((command) => asComment(guarded(command).join('\n'))),
    ...comment(`check: ${step.check.text}`),
  ];
}

/** A command with what makes it safe to run again. */
function guarded(command: GuideCommand): string[] {
  if (command.unless === undefined) return bare(command);
  return [`if [ -z "\${${command.unless}:-}" ]; then`, ...bare(command).map((line) => `  ${line}`), 'fi'];
}

function bare(command: GuideCommand): string[] {
  switch (command.kind) {
    case 'note':
      return [`${command.variable}=done`, `keep ${command.variable}`];
    case 'run':
      return [command.text];
    case 'check':
      return [`${command.text} ||`, `  stop ${shellWord(plain(command.wrong))}`];
    case 'make':
      return [
        `if [ -z "\${${command.variable}:-}" ]; then`,
        `  ${command.variable}=$(${command.text})`,
        `  keep ${command.variable}`,
        'fi',
      ];
    case 'ask':
      return [
        `${command.variable}=$(${command.text})`,
        `[ -n "$${command.variable}" ] || stop ${shellWord(`there is no ${command.variable.toLowerCase()}`)}`,
      ];
    case 'file': {
      const part = `${command.path}.part`;
      return [
        `if [ ! -e ${shellWord(command.path)} ]; then`,
        `  ${command.text(part)}`,
        `  mv ${shellWord(part)} ${shellWord(command.path)}`,
        'fi',
      ];
    }
    case 'wait':
      return [
        `wait_for ${command.seconds} ${shellWord(plain(command.what))} ${shellWord(command.wanted)} ${shellWord(command.failed ?? '')} \\`,
        `  ${command.text}`,
      ];
  }
}
