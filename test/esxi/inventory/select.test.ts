import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StackferryError } from '../../../src/core/index.js';
import { selectVms, withoutSkipped } from '../../../src/esxi/index.js';

const vm = (id: string, name: string, uuid: string | null = null) => ({ id, name, uuid });
const vms = [
  vm('1', 'web01', '564d9cca-b0f7-63f5-9d02-d54aa8feb3f2'),
  vm('2', 'web02'),
  vm('3', 'twin'),
  vm('4', 'twin'),
  vm('5', 'uranium [x] FGT'),
  vm('6', 'u*'),
  vm('7', 'DB.prod'),
];
const ids = (...selectors: string[]) => selectVms({ vms }, selectors).map(({ id }) => id);

describe('selectors', () => {
  it('are names, globs, ids and uuids, each VM once', () => {
    expect(ids('web01')).toEqual(['1']);
    expect(ids('web*')).toEqual(['1', '2']);
    expect(ids('web0[2-9]')).toEqual(['2']);
    expect(ids('web0[!2]')).toEqual(['1']);
    expect(ids('t?in')).toEqual(['3', '4']);
    expect(ids('DB.pr*', 'web02', 'id:2')).toEqual(['7', '2']);
    expect(ids('id:4')).toEqual(['4']);
    expect(ids('uuid:564D9CCAb0f7-63f5-9d02-d54aa8feb3f2')).toEqual(['1']);
    expect(ids()).toEqual([]);
  });

  it('prefer the name that is just that', () => {
    expect(ids('u*')).toEqual(['6']);
    expect(ids('uranium [x] FGT')).toEqual(['5']);
    expect(ids('DB?prod')).toEqual(['7']);
    expect(() => ids('DBxprod')).toThrow();
  });

  it('refuse a name that two VMs bear, with their ids', () => {
    expect(() => ids('twin')).toThrow(
      expect.objectContaining({
        code: 'vm.ambiguous',
        exitCode: 2,
        message: expect.stringMatching(/id:3.*id:4/) as string,
      }) as Error,
    );
  });

  it('name what is near where nothing fits', () => {
    const failing = (text: string) => {
      try {
        ids(text);
      } catch (error) {
        return error as StackferryError;
      }
      throw new Error('something fitted');
    };
    expect(failing('wep01')).toMatchObject({ code: 'vm.not_found', exitCode: 2 });
    expect(failing('wep01').hint).toBe('Did you mean "web01"?');
    expect(failing('zzzzzz').hint).toContain('stackferry inventory');
    expect(failing('id:99').code).toBe('vm.not_found');
    expect(failing('uuid:99').code).toBe('vm.not_found');
    expect(failing('uuid:-').code).toBe('vm.not_found');
  });

  it('say why a VM that was skipped cannot be had', () => {
    const skipped = [{ id: '9', name: 'broken', reason: 'Its .vmx is empty.' }];
    for (const text of ['broken', 'id:9', 'bro*']) {
      expect(() => selectVms({ vms, skipped }, [text])).toThrow(
        expect.objectContaining({
          code: 'vm.unreadable',
          exitCode: 3,
          message: expect.stringContaining('Its .vmx is empty.') as string,
        }) as Error,
      );
    }
  });

  it('are told apart by whether they fit more than what was skipped', () => {
    const skipped = [
      { id: '9', name: 'broken', reason: 'Its .vmx is empty.' },
      { id: '10', name: 'web01', reason: 'Its .vmx is empty.' },
    ];
    expect(withoutSkipped({ vms, skipped }, ['broken', 'id:9', 'web01', '*o*', 'nobody'])).toEqual([
      'web01',
      '*o*',
      'nobody',
    ]);
  });

  it('find any name by itself, and throw nothing but our own errors', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(!/^(id:\s*\d+$|uuid:)/i.test(name));
        expect(selectVms({ vms: [vm('1', name)] }, [name])).toHaveLength(1);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          selectVms({ vms }, [text]);
        } catch (error) {
          expect(error).toBeInstanceOf(StackferryError);
        }
      }),
    );
  });
});
