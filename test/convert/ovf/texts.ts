/** OVF descriptors in the form that VMware's products and VirtualBox write, put together from parts. */
const SPACES = [
  'xmlns="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"',
  'xmlns:vmw="http://www.vmware.com/schema/ovf"',
  'xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"',
  'xmlns:vbox="http://www.virtualbox.org/ovf/machine"',
  'xmlns:vcloud="http://www.vmware.com/vcloud/v1.5"',
].join(' ');

export const STREAM_OPTIMIZED = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';

export function item(fields: Record<string, string | number>, attributes = '', inside = ''): string {
  const parts = Object.entries(fields).map(([key, value]) => `<rasd:${key}>${value}</rasd:${key}>`);
  return `<Item${attributes === '' ? '' : ` ${attributes}`}>${parts.join('')}${inside}</Item>`;
}

export const CPU = item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 });
export const MEMORY = item({ InstanceID: 2, AllocationUnits: 'byte * 2^20', ResourceType: 4, VirtualQuantity: 1024 });
export const SCSI = item({ InstanceID: 3, Address: 0, ResourceType: 6, ResourceSubType: 'VirtualSCSI' });

export function diskItem(unit: number, diskId: string, more: Record<string, string | number> = {}): string {
  return item({
    InstanceID: 100 + unit,
    AddressOnParent: unit,
    Parent: 3,
    ResourceType: 17,
    HostResource: `ovf:/disk/${diskId}`,
    ...more,
  });
}

export interface OvfParts {
  files?: string;
  disks?: string;
  networks?: string;
  /** Items and settings of the hardware section. */
  hardware?: string;
  /** Further sections of the VirtualSystem. */
  system?: string;
  /** In place of the VirtualSystem. */
  content?: string;
  /** Sections of the envelope. */
  envelope?: string;
  hardwareType?: string;
}

export function virtualSystem(id: string, parts: OvfParts = {}): string {
  return [
    `<VirtualSystem ovf:id="${id}"><Info>A virtual machine</Info><Name>${id}</Name>`,
    parts.system ?? '',
    '<VirtualHardwareSection><Info>Virtual hardware</Info><System>',
    '<vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>',
    `<vssd:VirtualSystemType>${parts.hardwareType ?? 'vmx-19'}</vssd:VirtualSystemType></System>`,
    parts.hardware ?? `${CPU}${MEMORY}${SCSI}${diskItem(0, 'vmdisk1')}`,
    '</VirtualHardwareSection></VirtualSystem>',
  ].join('');
}

/** A whole descriptor; what is not given is that of a VM with one stream-optimized disk of 1 GiB. */
export function ovf(parts: OvfParts = {}): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<Envelope ${SPACES}>`,
    `<References>${parts.files ?? '<File ovf:href="disk1.vmdk" ovf:id="file1"/>'}</References>`,
    `<DiskSection><Info>Disks</Info>${
      parts.disks ??
      `<Disk ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="${STREAM_OPTIMIZED}"/>`
    }</DiskSection>`,
    parts.networks ?? '',
    parts.envelope ?? '',
    parts.content ?? virtualSystem('web01', parts),
    '</Envelope>',
  ].join('\n');
}
