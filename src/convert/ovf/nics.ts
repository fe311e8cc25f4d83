import { textOf } from './elements.js';
import { badOvf } from './faults.js';
import { TYPES, type HardwareItem } from './items.js';
import type { MachinePlace } from './machine.js';
import type { OvfNic } from './types.js';

/** Names of NIC models as VMware's products and VirtualBox write them, without regard to case. */
const MODELS: Readonly<Record<string, OvfNic['model']>> = {
  vmxnet3: 'vmxnet3',
  e1000: 'e1000',
  e1000e: 'e1000e',
  pcnet32: 'vlance',
  vlance: 'vlance',
  vmxnet: 'flexible',
  vmxnet2: 'flexible',
  flexible: 'flexible',
  sriov: 'sriov',
  'vmware.sriov': 'sriov',
  pvrdma: 'pvrdma',
  vrdma: 'pvrdma',
};

/** The NICs in the order of the descriptor. Throws `package.bad_ovf` for a MAC that is none. */
export function readNics(items: readonly HardwareItem[], at: MachinePlace): OvfNic[] {
  return items
    .filter(({ type }) => type === TYPES.ethernet)
    .map((item, index) => {
      // Several are alternatives ("E1000 VmxNet3"): the first one counts.
      const subType = item.subType;
      return {
        label: `ethernet${index}`,
        model: MODELS[subType?.split(/\s+/)[0]?.toLowerCase() ?? ''] ?? null,
        subType,
        network: textOf(item.element, 'Connection'),
        mac: macOf(item, at),
        connected: !/^(false|0)$/i.test(textOf(item.element, 'AutomaticAllocation') ?? 'true'),
      };
    });
}

function macOf({ address, place }: HardwareItem, at: MachinePlace): string | null {
  if (address === null) return null;
  const digits = address.replaceAll(/[:-]/g, '').toLowerCase();
  if (!/^[0-9a-f]{12}$/.test(digits)) {
    throw badOvf(at.name, place, `its address ${JSON.stringify(address.slice(0, 40))} is no MAC`);
  }
  return digits.match(/../g)?.join(':') ?? null;
}
