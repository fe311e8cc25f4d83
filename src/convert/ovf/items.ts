import { attribute, isOvf, textOf } from './elements.js';
import { badOvf } from './faults.js';
import type { MachinePlace } from './machine.js';
import type { XmlElement } from './xml.js';

/** CIM's resource types that are read (CIM_ResourceAllocationSettingData.ResourceType). */
export const TYPES = { processor: 3, memory: 4, ide: 5, scsi: 6, ethernet: 10, disk: 17, otherStorage: 20 } as const;
const MAX_ITEMS = 4096;

/** An Item of the hardware section (or StorageItem, EthernetPortItem of OVF 2). */
export interface HardwareItem {
  element: XmlElement;
  instance: string;
  type: number;
  subType: string | null;
  parent: string | null;
  /** Of a controller: its bus number. Of a NIC: its MAC. */
  address: string | null;
  addressOnParent: string | null;
  quantity: string | null;
  hostResource: string | null;
  elementName: string | null;
  /** For messages. */
  place: string;
}

/** The items of the chosen configuration. Throws `package.bad_ovf`. */
export function itemsOf(hardware: XmlElement, at: MachinePlace): HardwareItem[] {
  const items: HardwareItem[] = [];
  const seen = new Set<string>();
  for (const element of hardware.children) {
    if (!isOvf(element.ns) || !/^(Storage|EthernetPort)?Item$/.test(element.name)) continue;
    const configurations = attribute(element, 'configuration')?.split(/\s+/) ?? null;
    if (configurations !== null && !configurations.includes(at.configuration ?? '')) continue;
    // min and max bound what a person may choose; the item without a bound is what is meant.
    if (attribute(element, 'bound') !== null) continue;
    const instance = textOf(element, 'InstanceID') ?? textOf(element, 'InstanceId') ?? '';
    const place = `${at.place}, item ${JSON.stringify(instance)}`;
    const type = textOf(element, 'ResourceType') ?? '';
    if (!/^\d{1,5}$/.test(type)) throw badOvf(at.name, place, `its ResourceType ${JSON.stringify(type)} is no number`);
    if (instance === '' || seen.has(instance))
      throw badOvf(at.name, place, 'its InstanceID is missing or stands twice');
    if (items.length === MAX_ITEMS) throw badOvf(at.name, place, `more than ${MAX_ITEMS} items`);
    seen.add(instance);
    items.push({
      element,
      instance,
      type: Number(type),
      subType: textOf(element, 'ResourceSubType'),
      parent: textOf(element, 'Parent'),
      address: textOf(element, 'Address'),
      addressOnParent: textOf(element, 'AddressOnParent'),
      quantity: textOf(element, 'VirtualQuantity'),
      hostResource: textOf(element, 'HostResource'),
      elementName: textOf(element, 'ElementName') ?? textOf(element, 'Caption'),
      place,
    });
  }
  return items;
}
