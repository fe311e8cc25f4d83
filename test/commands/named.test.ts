import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/commands/program.js';
import { fakeApp } from './in-process.js';

/**
 * Every command and option that a hint, a message or a help text names must be there: a person pastes what they read.
 * The texts are all string literals of the sources, so that none has to be thought of here.
 */

const src = fileURLToPath(new URL('../../src/', import.meta.url));
/** Stands for what a template puts in at run time. */
const HOLE = '\ufffc';

interface Text {
  where: string;
  text: string;
}

function literalsOf(file: string): Text[] {
  const source = ts.createSourceFile(file, readFileSync(join(src, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Text[] = [];
  const add = (node: ts.Node, text: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push({ where: `src/${file}:${line + 1}`, text });
  };
  const visit = (node: ts.Node): void => {
    if (isSum(node) && !isSum(node.parent)) add(node, textOf(node) ?? '');
    else if (!isSum(node.parent) && textOf(node) !== undefined) add(node, textOf(node) ?? '');
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

const isSum = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken;

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map((span) => HOLE + span.literal.text).join('');
  }
  if (isSum(node)) return (textOf(node.left) ?? HOLE) + (textOf(node.right) ?? HOLE);
  return undefined;
}

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const texts = sources.flatMap(literalsOf).filter(({ text }) => text.includes('--') || text.includes('stackferry'));

const program = buildProgram(fakeApp());
const commands = new Map(program.commands.map((command) => [command.name(), optionsOf(command)]));
const everywhere = new Set([...optionsOf(program), '--help', '-h']);
const anywhere = new Set([...everywhere, ...[...commands.values()].flatMap((options) => [...options])]);

function optionsOf(command: Command): Set<string> {
  return new Set(command.options.flatMap((option) => [option.long ?? [], option.short ?? []].flat()));
}

/** Named before they are there, by work under way: take each out of here once it is. */
const TO_COME = new Set<string>([]);

/** `stackferry` as a noun, in a sentence. */
const PROSE = /^(works|needs|moves|speaks|that|reads|do|does|says|has|is|and|in|of|to|left|mapping)$/;
/** Programs whose options are their own. */
const FOREIGN =
  /(?:openstack|esxcli|vim-cmd|vmkfstools|qemu-img|qemu-nbd|apt-get|grub-install|ssh-keygen|ssh|npm|watch|nbd-server) /;

/** The command lines of ours in a text, each to the end of its line, sentence or quotation. */
function commandLines(text: string): { command: string; rest: string }[] {
  return [...text.matchAll(/\bstackferry ([a-z][a-z-]*)(?=([^\n`;|(]*))/g)].flatMap(([, command = '', rest = '']) =>
    PROSE.test(command) ? [] : [{ command, rest: rest.split(/[.,] |: |\.$| {3}|, or /)[0] ?? '' }],
  );
}

/** Options in a text, those of other programs and those that are made up at run time left out. */
function optionsIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.split(/[;`]|\. /))
    .map((sentence) => sentence.split(FOREIGN)[0] ?? '')
    .flatMap((sentence) =>
      [...sentence.matchAll(/(?<![\w-])--[a-z][a-z0-9-]*(?![\w\ufffc*-])/g)].map(([option]) => option),
    );
}

describe('what the sources name', () => {
  it('are commands that there are, with options that they take', () => {
    const wrong = texts.flatMap(({ where, text }) =>
      commandLines(text).flatMap(({ command, rest }) => {
        const options = commands.get(command);
        if (!options) return TO_COME.has(command) ? [] : [`${where}: stackferry ${command}`];
        return optionsIn(rest)
          .filter((option) => !options.has(option) && !everywhere.has(option))
          .map((option) => `${where}: stackferry ${command} ${option}`);
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('are options that some command takes', () => {
    const wrong = texts.flatMap(({ where, text }) =>
      // Words of qemu's programs, and of openstackclient's command lines, put together piece by piece.
      /^src\/migration\/guide\//.test(where) || (where.startsWith('src/convert/') && /^--\S*$/.test(text))
        ? []
        : optionsIn(text)
            .filter((option) => !anywhere.has(option) && !TO_COME.has(option))
            .map((option) => `${where}: ${option}`),
    );
    expect(wrong).toEqual([]);
  });

  it('is no longer to come where it is there', () => {
    expect([...TO_COME].filter((name) => commands.has(name) || anywhere.has(name))).toEqual([]);
  });

  it('is much: the sources were read', () => {
    expect(texts.flatMap(({ text }) => commandLines(text)).length).toBeGreaterThan(40);
    expect(texts.flatMap(({ text }) => optionsIn(text)).length).toBeGreaterThan(100);
  });

  it.each([
    ['Undo: stackferry rollback r7. See --flavor.', ['rollback'], ['--flavor']],
    ['stackferry works over SSH', [], []],
    ['`stackferry check` tells; openstack quota set --ram 5', ['check'], []],
    [`--os-${HOLE} and --timeout-${HOLE}`, [], []],
  ])('%j', (text, named, options) => {
    expect(commandLines(text).map(({ command }) => command)).toEqual(named);
    expect(optionsIn(text)).toEqual(options);
  });
});
