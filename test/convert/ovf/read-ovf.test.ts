import { describe, expect, it } from 'vitest';
import { readOvf } from '../../../src/convert/ovf/index.js';
import { CPU, MEMORY, SCSI, diskItem, item, ovf, virtualSystem } from './texts.js';

const read = (text: string) => readOvf(Buffer.from(text), 'x.ovf');
const one = (text: string) => {
  const [machine] = read(text).machines;
  if (!machine) throw new Error('no machine');
  return machine;
};

/** As vSphere 5 and 6 write it (the form of two recorded exports, shortened). */
const vsphere = ovf({
  files: '<File ovf:href="disk1.vmdk.gz" ovf:id="file1" ovf:size="7804077568" ovf:compression="gzip"/>',
  disks:
    '<Disk ovf:capacity="50" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:populatedSize="18975752192"/>' +
    '<Disk ovf:capacity="20480" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk2"/>',
  networks: '<NetworkSection><Info/><Network ovf:name="PG-VLAN60"><Description/></Network></NetworkSection>',
  system:
    '<OperatingSystemSection ovf:id="103" vmw:osType="windows7Server64Guest"><Info/><Description>Microsoft Windows Server 2008 R2 (64-bit)</Description></OperatingSystemSection>' +
    '<AnnotationSection ovf:required="false"><Info/><Annotation>Two lines\n&amp; more &#x41;</Annotation></AnnotationSection>' +
    '<vmw:BootOrderSection vmw:instanceId="9" vmw:type="disk"><Info/></vmw:BootOrderSection>' +
    '<vcloud:LeaseSettingsSection ovf:required="false"/>',
  hardwareType: 'vmx-10',
  hardware: [
    item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 4, AllocationUnits: 'hertz * 10^6' }, '', '<vmw:CoresPerSocket ovf:required="false">2</vmw:CoresPerSocket>'),
    item({ InstanceID: 2, ResourceType: 4, VirtualQuantity: 2, AllocationUnits: 'byte * 2^30' }),
    item({ InstanceID: 3, Address: 0, ResourceType: 6, ResourceSubType: 'lsilogicsas' }),
    item({ InstanceID: 4, Address: 1, ResourceType: 5 }),
    item({ InstanceID: 5, Address: 0, ResourceType: 5 }),
    item({ InstanceID: 6, ResourceType: 24, ElementName: 'Video card' }, 'ovf:required="false"'),
    item({ InstanceID: 8, AddressOnParent: 0, Parent: 4, ResourceType: 15, ResourceSubType: 'vmware.cdrom.atapi', ElementName: 'CD/DVD drive 1' }),
    diskItem(2, 'vmdisk1'),
    item({ InstanceID: 10, AddressOnParent: 1, Parent: 5, ResourceType: 17, HostResource: '/disk/vmdisk2' }),
    item({ InstanceID: 11, ResourceType: 10, ResourceSubType: 'E1000', Connection: 'PG-VLAN60', Address: '00:50:56:AB:cd:01', AutomaticAllocation: 'true' }),
    item({ InstanceID: 12, ResourceType: 10, ResourceSubType: 'VmxNet3', Connection: 'PG-VLAN60', AutomaticAllocation: 'false' }),
    '<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>',
    '<vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>',
    '<vmw:Config ovf:required="false" vmw:key="cpuHotAddEnabled" vmw:value="true"/>',
    '<vmw:Config ovf:required="false" vmw:key="memoryHotAddEnabled" vmw:value="false"/>',
    '<vmw:ExtraConfig ovf:required="false" vmw:key="disk.EnableUUID" vmw:value="TRUE"/>',
  ].join('\n'),
}); // prettier-ignore

describe('readOvf', () => {
  it('reads what vSphere writes', () => {
    const { machines, disks, files, networks } = read(vsphere);
    expect(files).toEqual([
      { id: 'file1', href: 'disk1.vmdk.gz', bytes: 7804077568, compression: 'gzip', chunkBytes: null },
    ]);
    expect(disks.map(({ capacityBytes, file }) => [capacityBytes, file?.id ?? null])).toEqual([
      [50 * 2 ** 30, 'file1'],
      [20 * 2 ** 30, null],
    ]);
    expect(networks).toEqual(['PG-VLAN60']);
    expect(machines).toMatchObject([
      {
        id: 'web01',
        name: 'web01',
        annotation: 'Two lines\n& more A',
        guestId: 'windows7Server64Guest',
        guestName: 'Microsoft Windows Server 2008 R2 (64-bit)',
        hardwareVersion: 'vmx-10',
        cpus: 4,
        coresPerSocket: 2,
        memoryMib: 2048,
        firmware: 'efi',
        secureBoot: true,
        vtpm: false,
        cpuHotAdd: true,
        memoryHotAdd: false,
        diskUuid: true,
        disks: [
          { label: 'ide0:1', controller: 'ide', disk: { id: 'vmdisk2', file: null } },
          { label: 'scsi0:2', controller: 'lsisas1068', disk: { id: 'vmdisk1' } },
        ],
        nics: [
          { label: 'ethernet0', model: 'e1000', network: 'PG-VLAN60', mac: '00:50:56:ab:cd:01', connected: true },
          { label: 'ethernet1', model: 'vmxnet3', network: 'PG-VLAN60', mac: null, connected: false },
        ],
        devices: [
          { type: 24, name: 'Video card' },
          { type: 15, subType: 'vmware.cdrom.atapi', name: 'CD/DVD drive 1' },
        ],
      },
    ]);
  });

  it('reads what VirtualBox writes: SATA by another word, units by words, firmware in its own part', () => {
    const machine = one(
      ovf({
        disks: '<Disk ovf:capacity="8589934592" ovf:diskId="vmdisk1" ovf:fileRef="file1" vbox:uuid="0d7f"/>',
        hardwareType: 'virtualbox-2.2',
        system:
          '<OperatingSystemSection ovf:id="94"><Info/><Description>Ubuntu_64</Description><vbox:OSType ovf:required="false">Ubuntu_64</vbox:OSType></OperatingSystemSection>' +
          '<vbox:Machine ovf:required="false" version="1.16-linux" uuid="{a}"><Hardware><Firmware type="EFI"/></Hardware></vbox:Machine>',
        hardware: [
          item({ Caption: '1 virtual CPU', InstanceID: 1, ResourceType: 3, VirtualQuantity: 1 }),
          item({ AllocationUnits: 'MegaBytes', InstanceID: 2, ResourceType: 4, VirtualQuantity: 512 }),
          item({ Address: 0, Caption: 'sataController0', InstanceID: 5, ResourceSubType: 'AHCI', ResourceType: 20 }),
          item({ AddressOnParent: 3, InstanceID: 8, Parent: 5, ResourceType: 17, HostResource: '/disk/vmdisk1' }),
          item({ AutomaticAllocation: true.toString(), InstanceID: 9, ResourceType: 10, ResourceSubType: 'PCNet32', Connection: 'NAT' }),
        ].join(''), // prettier-ignore
      }),
    );
    expect(machine).toMatchObject({
      guestId: 'ubuntu64Guest',
      guestName: 'Ubuntu_64',
      hardwareVersion: null,
      memoryMib: 512,
      firmware: 'efi',
      disks: [{ label: 'sata0:3', controller: 'ahci' }],
      nics: [{ model: 'vlance', network: 'NAT' }],
    });
  });

  it('numbers controllers anew where their addresses are no bus numbers, and knows NVMe', () => {
    const machine = one(
      ovf({
        disks: ['a', 'b', 'c'].map((id) => `<Disk ovf:capacity="512" ovf:diskId="${id}"/>`).join(''),
        hardware: [
          CPU,
          MEMORY,
          item({ InstanceID: 3, Address: '0000:00:10.0', ResourceType: 6, ResourceSubType: 'lsilogic' }),
          item({ InstanceID: 4, Address: '0000:00:11.0', ResourceType: 6, ResourceSubType: 'buslogic' }),
          item({ InstanceID: 5, Address: 0, ResourceType: 20, ResourceSubType: 'vmware.nvme.controller' }),
          diskItem(0, 'a'),
          item({ InstanceID: 9, Parent: 4, ResourceType: 17, HostResource: 'ovf:/disk/b' }),
          item({ InstanceID: 10, Parent: 5, AddressOnParent: 1, ResourceType: 17, HostResource: 'ovf:/disk/c' }),
        ].join(''),
      }),
    );
    expect(machine.disks.map(({ label, controller }) => [label, controller])).toEqual([
      ['scsi0:0', 'lsilogic'],
      ['scsi1:0', 'buslogic'],
      ['nvme0:1', 'nvme'],
    ]);
  });

  it('takes all VMs of nested collections, in their order; two of them may name one disk', () => {
    const inner = `<VirtualSystemCollection ovf:id="in"><Info/>${virtualSystem('db')}</VirtualSystemCollection>`;
    const content = `<VirtualSystemCollection ovf:id="app"><Info/><ResourceAllocationSection/>${virtualSystem('web')}${inner}</VirtualSystemCollection>`;
    expect(read(ovf({ content })).machines.map(({ id }) => id)).toEqual(['web', 'db']);
  });

  it('takes the default configuration, and no bounds', () => {
    const memory = (id: number, count: number, attributes: string) =>
      item({ InstanceID: id, ResourceType: 4, VirtualQuantity: count }, attributes);
    const text = ovf({
      envelope:
        '<DeploymentOptionSection><Info/><Configuration ovf:id="small"/><Configuration ovf:id="large" ovf:default="true"/></DeploymentOptionSection>',
      hardware: [
        CPU,
        memory(2, 100, 'ovf:configuration="small"'),
        memory(20, 1, 'ovf:configuration="large" ovf:bound="min"'),
        memory(21, 800, 'ovf:configuration="medium large"'),
        SCSI,
        diskItem(0, 'vmdisk1'),
      ].join(''),
    });
    expect(read(text).configuration).toBe('large');
    expect(one(text).memoryMib).toBe(800);
  });

  it('reads OVF 2, other prefixes, UTF-16 and CDATA', () => {
    const two = ovf().replaceAll('ovf/envelope/1', 'ovf/envelope/2').replaceAll('<Item>', '<StorageItem>');
    expect(one(two.replaceAll('</Item>', '</StorageItem>')).disks).toHaveLength(1);
    const prefixed = ovf().replaceAll('ovf:', 'q:').replaceAll('q:/disk', 'ovf:/disk').replace('xmlns:ovf', 'xmlns:q');
    expect(one(prefixed).id).toBe('web01');
    const named = ovf().replace('<Name>web01</Name>', '<Name><![CDATA[a <b> & c]]></Name>');
    expect(one(named).name).toBe('a <b> & c');
    const wide = Buffer.from(`\ufeff${ovf()}`, 'utf16le');
    expect(readOvf(wide, 'x.ovf').machines).toHaveLength(1);
  });
});
