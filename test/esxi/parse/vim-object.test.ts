import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import {
  type VimValue,
  isFault,
  isObject,
  parseVimObject,
  pick,
  pickArray,
  pickString,
} from '../../../src/esxi/parse/vim-object.js';
import { recordings } from './recordings.js';

const text = (value: VimValue | undefined, ...path: string[]) => pickString(value, ...path);

describe('printed data objects', () => {
  it('reads all forms of values', () => {
    const value = parseVimObject(`Listsummary:

(vim.vm.Summary) {
   dynamicType = <unset>,
   vm = 'vim.VirtualMachine:2',${' '}
   count = 42, \r
   limit = -1,
   template = false,
   question = (vim.vm.QuestionInfo) null,
   empty = (string) [
   ],
   inline = (string) [ ],
   none = (vim.X) {
   },
   ids = (int) [
      2000,
      2001
   ],
   names = (string) [
      "a",
      "b "c""
   ],
   deep = (vim.A) {
      deeper = (vim.B) {
         word = "x"
      },
   },
}
`);
    expect(isObject(value) && Object.fromEntries(value.fields)).toEqual({
      dynamicType: null,
      vm: 'vim.VirtualMachine:2',
      count: 42,
      limit: -1,
      template: false,
      question: null,
      empty: [],
      inline: [],
      none: { type: 'vim.X', fields: new Map() },
      ids: [2000, 2001],
      names: ['a', 'b "c"'],
      deep: expect.anything() as unknown,
    });
    expect(text(value, 'deep', 'deeper', 'word')).toBe('x');
  });

  it('ends a string at the quote that structure follows', () => {
    const value = parseVimObject(`(vim.X) {
   annotation = "said "hi",
second "line"
  and = "more",
third",
   after = true
}`);
    expect(text(value, 'annotation')).toBe('said "hi",\nsecond "line"\n  and = "more",\nthird');
    expect(pick(value, 'after')).toBe(true);
  });

  it('keeps the first of two fields, so text cannot overwrite what stands before', () => {
    const value = parseVimObject(`(vim.X) {
   name = "real",
   annotation = "x",
   name = "forged",
   tail = "y"
}`);
    expect(text(value, 'name')).toBe('real');
  });

  it('reads faults with their odd indents', () => {
    const value = parseVimObject(`(vim.fault.NotFound) {
      faultCause = (vmodl.MethodFault) null,${' '}
      msg = "Unable to find a VM corresponding to "5""
    }
`);
    expect(isFault(value)).toBe(true);
    expect(text(value, 'msg')).toBe('Unable to find a VM corresponding to "5"');
  });

  it.each(['', 'nothing', '(vim.X) {', '(vim.X) {\n a = "x', '(vim.X) {\n   broken\n}', '(vim.X) [\n'])(
    'refuses %j with its own error',
    (broken) => {
      expect(() => parseVimObject(broken)).toThrow(expect.objectContaining({ code: 'esxi.bad_output' }) as Error);
    },
  );

  it.each(
    [...recordings('vim-cmd-vmsvc-get'), ...recordings('vim-cmd-vmsvc-device'), ...recordings('vim-cmd-fault')].filter(
      ({ name }) => !name.includes('getallvms'),
    ),
  )('reads the recording $name', ({ name, text: printed }) => {
    const value = parseVimObject(printed);
    if (name.includes('get.summary')) {
      expect(text(value, 'config', 'vmPathName')).toBe('[datastore1] my-host-clone/my-host-clone.vmx');
      expect(pickArray(value, 'runtime', 'featureRequirement')).toHaveLength(27);
      expect(text(value, 'overallStatus')).toBe('green');
    } else if (name.includes('getdevices')) {
      expect(pickArray(value, 'device')).toHaveLength(6);
    } else if (name.includes('fault')) {
      expect(isFault(value)).toBe(true);
    } else {
      expect(text(value, 'guestState')).toBe('running');
    }
  });

  it('reads back any string', () => {
    const line = fc.string({ unit: 'binary', maxLength: 12 }).filter((part) => !/[\r\n]/.test(part));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(line, fc.stringMatching(/^[\", \t]{0,3}$/)), { minLength: 1, maxLength: 4 }),
        (lines) => {
          const written = lines.join('\n');
          // Text that imitates structure to the blank cannot be told apart, by nobody.
          fc.pre(!/"\s*,?\s*(\n\s*)*\n {3}\S/.test(written) && !/"\s*,?\s*\n\s*[}\]]/.test(written));
          const value = parseVimObject(`(vim.X) {\n   text = "${written}",\n   after = 1\n}`);
          expect(pick(value, 'text')).toBe(written);
          expect(pick(value, 'after')).toBe(1);
        },
      ),
    );
  });

  it('throws nothing but its own error', () => {
    const token = fc.constantFrom(
      '(a.B) {',
      '(a.B) [',
      '}',
      ']',
      ',',
      '"',
      'x = ',
      '\n',
      ' ',
      'null',
      '<unset>',
      "'r'",
      '1',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
        try {
          parseVimObject(tokens.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(StackferryError);
        }
      }),
    );
    expect(() => parseVimObject('(a.B) [\n'.repeat(100))).toThrow(StackferryError);
  });
});
