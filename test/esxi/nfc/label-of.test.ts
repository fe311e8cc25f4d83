import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelOf } from '../../../src/esxi/nfc/leased-disk.js';

describe('labelOf', () => {
  it.each([
    ['/vm-10/ParaVirtualSCSIController0:0', 'scsi0:0'],
    ['/vm-10/VirtualLsiLogicSASController3:15', 'scsi3:15'],
    ['/vm-10/VirtualIDEController1:1', 'ide1:1'],
    ['/vm-10/VirtualAHCIController0:29', 'sata0:29'],
    ['/vm-10/VirtualNVMEController0:1', 'nvme0:1'],
    ['/vm-10/VirtualDisk2000', null],
    ['/vm-10/FloppyController0:0', null],
  ])('reads %s as %s', (key, label) => {
    expect(labelOf(key)).toBe(label);
  });

  it('reads any text as a label or as none', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        expect(labelOf(key) ?? 'scsi0:0').toMatch(/^(?:ide|scsi|sata|nvme)\d+:\d+$/);
      }),
    );
  });
});
