import { StackferryError } from '../../core/index.js';
import { selectVms, type DiskDoor, type EsxiHost, type Inventory, type VmRecord } from '../../esxi/index.js';

/**
 * A package of files in the place of a host: its VMs are off, and nothing of it can be changed. What only a host can do
 * ends in an error.
 */
export function packageHost(of: {
  /** For messages, and as the host's name in the journal. */
  name: string;
  vms: readonly VmRecord[];
  disks: DiskDoor;
  close(): Promise<void>;
}): EsxiHost {
  const about = { name: of.name, product: null, version: null, build: null, uuid: null, license: null };
  const names = [...new Set(of.vms.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])))];
  const inventory: Inventory = {
    host: about,
    datastores: [],
    networks: names.map((name) => ({ name, vlan_id: null, vswitch: null })),
    vms: [...of.vms],
    skipped: [],
  };
  return {
    name: of.name,
    get shell(): never {
      throw noHost(of.name);
    },
    disks: of.disks,
    ssh: null,
    about: () => Promise.resolve(about),
    inventory: (options = {}) => {
      if (options.only) selectVms(inventory, options.only);
      return Promise.resolve(inventory);
    },
    powerState: () => Promise.resolve('off'),
    shutdownGuest: () => Promise.reject(noHost(of.name)),
    powerOff: () => Promise.resolve(),
    shellTimeouts: () => Promise.resolve({ shellSeconds: null, interactiveSeconds: null }),
    readRate: () => Promise.reject(noHost(of.name)),
    close: () => of.close(),
  };
}

function noHost(name: string): StackferryError {
  return new StackferryError('import.no_host', `${name} holds files of a VM; there is no host that could do this.`, {
    hint: 'Read it from its ESXi host instead: stackferry migrate --vm NAME --esxi HOST',
    exitCode: 2,
  });
}
