import { pick, pickString } from '../parse/vim-object.js';
import type { Vmx } from '../parse/vmx.js';
import { type Device, type Devices, backingType, connection, labelOf } from './devices.js';
import { vmxPlaces } from './disk-devices.js';
import { isSriov } from './nics.js';
import type { VmFacts } from './schema.js';

export type OtherDevices = Pick<
  VmFacts,
  'pciPassthrough' | 'vgpus' | 'usbDevices' | 'serialParallel' | 'connectedRemovable'
>;

/** File names that mean an empty drive. (`auto detect` is a drive of the host: whichever there is.) */
const EMPTY = /^(?:\[[^\]]*\]\s*)?(?:emptybackingstring|vmware-null-remote-floppy)?$/i;

/** First keys of the host's devices, from which a device's number in the .vmx follows. */
const FIRST_KEY = { pciPassthru: 13000, floppy: 8000, serial: 9000, parallel: 10000 } as const;

/** Everything that finding rules ask about beside disks and NICs. Which source counts: as for disks. */
export function otherDevices(
  vmx: Vmx,
  devices: Devices | null,
  running: boolean,
  preferDevices: boolean,
): OtherDevices {
  return preferDevices && devices ? fromDevices(devices, running) : fromVmx(vmx);
}

function fromVmx(vmx: Vmx): OtherDevices {
  const present = (name: string) => vmx.indexes(name).filter((i) => vmx.flag(`${name}${i}.present`, false));
  const passthrough = present('pciPassthru')
    .filter((i) => !isSriov(vmx, i))
    .map((i) => ({
      label: `pciPassthru${i}`,
      isGpu: (vmx.get(`pciPassthru${i}.vgpu`) ?? '').trim() !== '',
    }));
  return {
    pciPassthrough: passthrough.filter(({ isGpu }) => !isGpu).map(({ label }) => label),
    vgpus: passthrough.filter(({ isGpu }) => isGpu).map(({ label }) => label),
    usbDevices: vmx.keys().flatMap((key) => {
      const [, bus, number] = /^(usb(?:_xhci)?)\.autoconnect\.device(\d{1,3})$/.exec(key) ?? [];
      const given = number !== undefined && (vmx.get(key) ?? '').trim() !== '';
      return given ? [`${bus ?? 'usb'}.autoConnect.device${number}`] : [];
    }),
    serialParallel: ['serial', 'parallel'].flatMap((kind) => present(kind).map((i) => `${kind}${i}`)),
    connectedRemovable: [...cdroms(vmx), ...floppies(vmx)],
  };
}

function cdroms(vmx: Vmx): string[] {
  return vmxPlaces(vmx)
    .map(({ label }) => label)
    .filter((label) => {
      const type = vmx.get(`${label}.deviceType`) ?? '';
      return vmx.flag(`${label}.present`, false) && /cdrom/i.test(type) && holdsMedium(vmx, label);
    });
}

function floppies(vmx: Vmx): string[] {
  return vmx
    .indexes('floppy')
    .map((i) => `floppy${i}`)
    .filter((label) => vmx.flag(`${label}.present`, true) && holdsMedium(vmx, label));
}

/** A medium or drive of the host that is there at power-on; one of a remote client is not. */
function holdsMedium(vmx: Vmx, label: string): boolean {
  return (
    vmx.flag(`${label}.startConnected`, true) &&
    !vmx.flag(`${label}.clientDevice`, false) &&
    (vmx.flag(`${label}.autodetect`, false) || !EMPTY.test(vmx.get(`${label}.fileName`)?.trim() ?? ''))
  );
}

function fromDevices({ devices }: Devices, running: boolean): OtherDevices {
  const ofType = (type: string) => devices.filter((device) => device.type === type);
  const passthrough = ofType('VirtualPCIPassthrough');
  const isGpu = (device: Device) => /Vmiop/.test(backingType(device) ?? '');
  const numbered = (name: keyof typeof FIRST_KEY) => (device: Device) => `${name}${device.key - FIRST_KEY[name]}`;
  const pci = numbered('pciPassthru');
  return {
    pciPassthrough: passthrough.filter((device) => !isGpu(device)).map(pci),
    vgpus: passthrough.filter(isGpu).map(pci),
    usbDevices: ofType('VirtualUSB').map((_, i) => `usb.autoConnect.device${i}`),
    serialParallel: [
      ...ofType('VirtualSerialPort').map(numbered('serial')),
      ...ofType('VirtualParallelPort').map(numbered('parallel')),
    ],
    connectedRemovable: [
      ...ofType('VirtualCdrom')
        .filter((device) => isConnected(device, running))
        .map((device) => labelOf(device) ?? `cdrom${device.key}`),
      ...ofType('VirtualFloppy')
        .filter((device) => isConnected(device, running))
        .map(numbered('floppy')),
    ],
  };
}

function isConnected(device: Device, running: boolean): boolean {
  const { connected, startConnected } = connection(device);
  const remote = /Remote/.test(backingType(device) ?? '');
  const backing = pick(device.object, 'backing');
  const medium = pickString(backing, 'fileName') ?? pickString(backing, 'deviceName') ?? '';
  const now = running && connected === true;
  // A client's drive counts only while it is really there.
  if (remote) return now;
  const automatic = pick(backing, 'useAutoDetect') === true;
  return (now || startConnected === true) && (automatic || !EMPTY.test(medium.trim()));
}
