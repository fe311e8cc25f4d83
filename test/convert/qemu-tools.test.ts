import { describe, expect, it } from 'vitest';
import { assertQemuNbd, qemuFormats } from '../../src/convert/index.js';
import { formatsIn } from '../../src/convert/qemu-tools.js';
import { recordingContext } from '../support/recording-context.js';

describe('qemuFormats', () => {
  it('lists those of the real qemu-img', async () => {
    const ctx = recordingContext();
    expect(await qemuFormats(ctx)).toEqual(expect.arrayContaining(['raw', 'qcow2', 'vmdk']));
    await expect(assertQemuNbd(ctx)).resolves.toBeUndefined();
  });

  it.each([
    [
      'on one line',
      'x\n\nSupported formats: raw qcow2 host_device\n\nSee <https://…>',
      ['raw', 'qcow2', 'host_device'],
    ],
    ['over several', 'Supported formats:\n  raw qcow2\n  vmdk luks\n\nSee', ['raw', 'qcow2', 'vmdk', 'luks']],
    ['none', 'qemu-img version 7\nusage: …', []],
  ])('reads them %s', (_, help, expected) => {
    expect(formatsIn(help)).toEqual(expected);
  });
});
