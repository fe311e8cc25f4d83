import { isObject, pick, pickArray, pickBoolean, pickNumber, pickString, type VimValue } from '../parse/vim-object.js';
import type { Vmx } from '../parse/vmx.js';
import { type Device, type Devices, connection } from './devices.js';
import { decodeNetworkName } from './networks.js';
import type { NetworkRecord, NicRecord } from './schema.js';
import { nonEmpty } from '../parse/non-empty.js';

/** A NIC's record and what rules need beyond it. */
export interface Nic {
  record: NicRecord;
  /** Its MAC was set by hand. */
  staticMac: boolean;
  /** Not connected at power-on. */
  startsDisconnected: boolean;
}

interface NicConfig {
  /** `ethernet0`; of a virtual function that is passed through `pciPassthru31`. */
  label: string;
  /** The device's key on the host. */
  key: number;
  /** Null where the .vmx leaves it to the default or says something unknown. */
  model: NicRecord['model'];
  mac: string | null;
  staticMac: boolean;
  network: string | null;
  /** Present state; null where that is not known. */
  connected: boolean | null;
  startConnected: boolean | null;
}

const MODEL_OF_TYPE: Record<string, NicRecord['model']> = {
  VirtualVmxnet3: 'vmxnet3',
  VirtualE1000: 'e1000',
  VirtualE1000e: 'e1000e',
  VirtualPCNet32: 'flexible',
  // The first and second vmxnet are what a flexible adapter becomes with Tools; no hypervisor but VMware's has them.
  VirtualVmxnet: 'flexible',
  VirtualVmxnet2: 'flexible',
  VirtualSriovEthernetCard: 'sriov',
  VirtualVmxnet3Vrdma: 'pvrdma',
};

const MODEL_OF_WORD: Record<string, NicRecord['model']> = {
  vmxnet3: 'vmxnet3',
  e1000: 'e1000',
  e1000e: 'e1000e',
  vlance: 'vlance',
  flexible: 'flexible',
  vmxnet: 'flexible',
  sriov: 'sriov',
  'pci-passthru': 'sriov',
  pvrdma: 'pvrdma',
};

/** On ESXi the NICs' keys begin here: `ethernet2` is 4002. */
const FIRST_KEY = 4000;
const FIRST_PCI_KEY = 13000;

export interface NicSources {
  vmx: Vmx;
  devices: Devices | null;
  guest: VimValue;
  running: boolean;
  /** The device list counts before the .vmx (see diskDevices). */
  preferDevices: boolean;
  networks: readonly NetworkRecord[];
}

/** The VM's NICs by number. Which source counts: as for disks. */
export function nicsOf(sources: NicSources): Nic[] {
  const { vmx, devices, guest, networks } = sources;
  const fromVmx = new Map(nicsOfVmx(vmx).map((nic) => [nic.label, nic]));
  const fromDevices = new Map((devices ? nicsOfDevices(devices) : []).map((nic) => [nic.label, nic]));
  const [first, second] = sources.preferDevices && devices ? [fromDevices, fromVmx] : [fromVmx, fromDevices];
  const addresses = guestNics(guest, first.size);
  return [...first.values()]
    .sort((a, b) => a.key - b.key)
    .map((nic) => {
      const other = second.get(nic.label);
      // The host prints flexible and vlance as the same device; only the .vmx tells them apart.
      const isVlance = fromVmx.get(nic.label)?.model === 'vlance';
      const config: NicConfig = {
        ...nic,
        model: isVlance ? 'vlance' : (nic.model ?? other?.model ?? defaultModel(vmx, nic.label)),
        mac: nic.mac ?? other?.mac ?? null,
        network: nic.network ?? other?.network ?? null,
        connected: fromDevices.get(nic.label)?.connected ?? null,
        startConnected: nic.startConnected ?? other?.startConnected ?? null,
      };
      return nicOf(config, addresses, sources.running, networks);
    });
}

function nicOf(
  config: NicConfig,
  addresses: readonly GuestNic[],
  running: boolean,
  networks: readonly NetworkRecord[],
): Nic {
  const byMac = addresses.filter(({ mac }) => mac !== null && mac === config.mac);
  const seen =
    byMac.length > 0 ? byMac : addresses.filter(({ key, mac }) => mac === null && (key === null || key === config.key));
  // A port of a distributed switch has no name in the configuration; Tools may have heard it.
  const written = config.network ?? seen[0]?.network ?? null;
  const network = written === null ? null : decodeNetworkName(written);
  const now = config.connected ?? seen[0]?.connected ?? null;
  return {
    record: {
      label: config.label,
      model: config.model,
      mac: config.mac,
      network,
      vlan_id: networks.find(({ name }) => name === network)?.vlan_id ?? null,
      connected: running ? now : config.startConnected,
      ip_addresses: [...new Set(seen.flatMap(({ ipAddresses }) => ipAddresses))],
    },
    staticMac: config.staticMac,
    startsDisconnected: config.startConnected === false,
  };
}

function nicsOfVmx(vmx: Vmx): NicConfig[] {
  const ethernets = vmx.indexes('ethernet').filter((index) => vmx.flag(`ethernet${index}.present`, false));
  const functions = vmx.indexes('pciPassthru').filter((index) => isSriov(vmx, index));
  return [
    ...ethernets.map((index) => {
      const label = `ethernet${index}`;
      const type = vmx.get(`${label}.addressType`);
      const model = MODEL_OF_WORD[vmx.get(`${label}.virtualDev`)?.trim().toLowerCase() ?? ''] ?? null;
      const macs = { set: vmx.get(`${label}.address`), generated: vmx.get(`${label}.generatedAddress`) };
      return nicOfVmx(vmx, label, FIRST_KEY + index, model, type, macs);
    }),
    ...functions.map((index) => {
      const label = `pciPassthru${index}`;
      const type = vmx.get(`${label}.MACAddressType`);
      const macs = { set: vmx.get(`${label}.MACAddress`), generated: vmx.get(`${label}.generatedMACAddress`) };
      return nicOfVmx(vmx, label, FIRST_PCI_KEY + index, 'sriov', type, macs);
    }),
  ];
}

function nicOfVmx(
  vmx: Vmx,
  label: string,
  key: number,
  model: NicRecord['model'],
  addressType: string | null,
  macs: { set: string | null; generated: string | null },
): NicConfig {
  const type = addressType?.trim().toLowerCase() ?? '';
  const byHand = type === 'static';
  const [set, generated] = [macOf(macs.set?.trim() ?? ''), macOf(macs.generated?.trim() ?? '')];
  return {
    label,
    key,
    model,
    mac: byHand || type === '' ? (set ?? generated) : (generated ?? set),
    staticMac: byHand,
    network: nonEmpty(vmx.get(`${label}.networkName`)),
    connected: null,
    startConnected: vmx.flag(`${label}.startConnected`, true),
  };
}

/** A passed-through PCI function that is a NIC on a port group: an SR-IOV adapter. */
export function isSriov(vmx: Vmx, index: number): boolean {
  const label = `pciPassthru${index}`;
  const network = vmx.get(`${label}.networkName`) ?? vmx.get(`${label}.MACAddressType`);
  return vmx.flag(`${label}.present`, false) && nonEmpty(network) !== null;
}

/**
 * Without `virtualDev` the default depends on the guest (libvirt's vmx.c: "default depends on guestOS value"; VMware KB
 * 1001805): a 64-bit guest gets an E1000, for vlance has no 64-bit driver; a 32-bit guest a flexible adapter.
 */
function defaultModel(vmx: Vmx, label: string): NicRecord['model'] {
  if (nonEmpty(vmx.get(`${label}.virtualDev`)) !== null) return null;
  return /-?64(?:guest)?$/i.test(vmx.get('guestOS')?.trim() ?? '') ? 'e1000' : 'flexible';
}

function nicsOfDevices(devices: Devices): NicConfig[] {
  return devices.devices.filter(isNic).map((device) => {
    const backing = pick(device.object, 'backing');
    const passed = device.key >= FIRST_PCI_KEY;
    return {
      label: passed ? `pciPassthru${device.key - FIRST_PCI_KEY}` : `ethernet${device.key - FIRST_KEY}`,
      key: device.key,
      model: MODEL_OF_TYPE[device.type] ?? null,
      mac: macOf(pickString(device.object, 'macAddress') ?? ''),
      staticMac: pickString(device.object, 'addressType')?.toLowerCase() === 'manual',
      network: nonEmpty(pickString(backing, 'deviceName')),
      ...connection(device),
    };
  });
}

function isNic(device: Device): boolean {
  const { key, object } = device;
  return pick(object, 'macAddress') !== undefined && (isNumbered(key, FIRST_KEY) || isNumbered(key, FIRST_PCI_KEY));
}

function isNumbered(key: number, first: number): boolean {
  return key >= first && key < first + 100;
}

function macOf(text: string): string | null {
  const mac = text.toLowerCase().replaceAll('-', ':');
  return /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) ? mac : null;
}

interface GuestNic {
  mac: string | null;
  network: string | null;
  key: number | null;
  connected: boolean | null;
  ipAddresses: string[];
}

/** What Tools last reported of the guest's NICs. */
function guestNics(guest: VimValue, count: number): GuestNic[] {
  const nets = pickArray(guest, 'net').filter(isObject);
  const primary = nonEmpty(pickString(guest, 'ipAddress'));
  if (nets.length === 0 && primary !== null && count === 1) {
    // Old Tools tell one address and not of which NIC it is: with one NIC there is no doubt.
    return [{ mac: null, network: null, key: null, connected: null, ipAddresses: [primary] }];
  }
  return nets.map((net) => ({
    mac: macOf(pickString(net, 'macAddress') ?? ''),
    network: nonEmpty(pickString(net, 'network')),
    key: pickNumber(net, 'deviceConfigId'),
    connected: pickBoolean(net, 'connected'),
    ipAddresses: addressesOf(net),
  }));
}

function addressesOf(net: VimValue): string[] {
  const value = pick(net, 'ipAddress');
  const direct = (Array.isArray(value) ? value : [value]).filter((address) => typeof address === 'string');
  const config = pickArray(net, 'ipConfig', 'ipAddress').map((address) => pickString(address, 'ipAddress'));
  return [...direct, ...config].map(nonEmpty).filter((address) => address !== null);
}
