import { DS1, DS2, type FakeHost } from './harness.js';
import {
  type PrintedObject,
  type SummaryData,
  descriptorText,
  devicesText,
  guestText,
  listText,
  summaryText,
  type Printed,
} from './texts.js';

export const MIB_SECTORS = 2048;

/** A VM of a fake host: its .vmx as lines, files by name in its folder, and what vim-cmd says about it. */
export interface FakeVm {
  id: number;
  name: string;
  /** Folder on the first datastore; default the name. */
  folder?: string;
  /** Name of the .vmx, without its ending; default the folder's. */
  file?: string;
  /** How the list and the summary write the path of the .vmx, where not in the datastore form. */
  spelled?: string;
  vmx: string[] | Buffer | null;
  /** Paths are relative to the VM's folder, or begin with a volume's uuid. */
  files?: Record<string, string | Buffer | number>;
  summary?: Partial<SummaryData> | string;
  devices?: PrintedObject[];
  guest?: Record<string, Printed>;
  snapshots?: string;
  annotation?: string;
}

export const DISK = ['scsi0.present = "TRUE"', 'scsi0.virtualDev = "pvscsi"', 'scsi0:0.present = "TRUE"'];

/** A flat disk of so many MiB: descriptor and extent. */
export function flat(
  name: string,
  mib = 1,
  more: Partial<Parameters<typeof descriptorText>[0]> = {},
): Record<string, string | number> {
  return {
    [`${name}.vmdk`]: descriptorText({
      extents: [`RW ${mib * MIB_SECTORS} VMFS "${name.split('/').at(-1) ?? ''}-flat.vmdk"`],
      ...more,
    }),
    [`${name}-flat.vmdk`]: mib * 1024 * 1024,
  };
}

/** A snapshot's delta over another descriptor. */
export function delta(
  name: string,
  parent: string,
  cids: { cid: string; parentCid: string },
  type: 'VMFSSPARSE' | 'SESPARSE' = 'VMFSSPARSE',
): Record<string, string> {
  const tail = type === 'SESPARSE' ? 'sesparse' : 'delta';
  return {
    [`${name}.vmdk`]: descriptorText({
      ...cids,
      parent,
      createType: type === 'SESPARSE' ? 'seSparse' : 'vmfsSparse',
      extents: [`RW ${MIB_SECTORS} ${type} "${name}-${tail}.vmdk"`],
    }),
    [`${name}-${tail}.vmdk`]: 'x'.repeat(4096),
  };
}

/** Puts VMs and the host's own answers in place. */
export function install(
  host: FakeHost,
  vms: readonly FakeVm[],
  more: { stderr?: string; extraList?: string } = {},
): void {
  const rows = vms.map((vm) => {
    const folder = vm.folder ?? vm.name;
    const file = vm.file ?? folder;
    const vmxPath = vm.spelled ?? `[${DS1.name}] ${folder}/${file}.vmx`;
    const base = `${DS1.uuid}/${folder}`;
    if (vm.vmx !== null) host.file(`${base}/${file}.vmx`, Array.isArray(vm.vmx) ? vm.vmx.join('\n') : vm.vmx);
    for (const [name, content] of Object.entries(vm.files ?? {})) {
      const elsewhere = /^[0-9a-f]{8}-[0-9a-f-]+\//.test(name);
      host.file(elsewhere ? name : `${base}/${name}`, content);
    }
    const summary =
      typeof vm.summary === 'string' ? vm.summary : summaryText(vm.id, { name: vm.name, vmx: vmxPath, ...vm.summary });
    host.answer(`vim-cmd vmsvc/get.summary ${vm.id}`, summary);
    host.answer(`vim-cmd vmsvc/snapshot.get ${vm.id}`, vm.snapshots ?? 'Get Snapshot:\n');
    if (vm.devices) host.answer(`vim-cmd vmsvc/device.getdevices ${vm.id}`, devicesText(vm.devices));
    if (vm.guest) host.answer(`vim-cmd vmsvc/get.guest ${vm.id}`, guestText(vm.guest));
    return { id: vm.id, name: vm.name, vmx: vmxPath, annotation: vm.annotation ?? '' };
  });
  host.answer('vim-cmd vmsvc/getallvms', listText(rows) + (more.extraList ?? ''), { stderr: more.stderr ?? '' });
  hostAnswers(host);
}

function hostAnswers(host: FakeHost): void {
  host.answer(
    'esxcli system version get',
    '   Product: VMware ESXi\n   Version: 8.0.3\n   Build: Releasebuild-24677879\n',
  );
  host.answer(
    'esxcli system hostname get',
    '   Domain Name: lab\n   Fully Qualified Domain Name: esx1.lab\n   Host Name: esx1\n',
  );
  host.answer(
    'esxcli hardware platform get',
    'Platform Information\n   UUID: 0x4c 0x4c 0x45 0x44 0x0 0x4d 0x51 0x10 0x80 0x38 0xb3 0xc0 0x4f 0x4b 0x46 0x32\n',
  );
  host.answer(
    'vim-cmd vimsvc/license --show',
    '[200] Sending request for installed licenses...[200] Complete, reply with licenses:\n   serial: 00000-11111-22222-33333-44444\n   vmodl key: esxBasic\n   name: vSphere 8 Hypervisor\n',
  );
  host.answer(
    'esxcli --formatter=csv storage filesystem list',
    [
      'Free,MountPoint,Mounted,Size,Type,UUID,VolumeName,',
      `5000,/vmfs/volumes/${DS1.uuid},true,10000,VMFS-6,${DS1.uuid},${DS1.name},`,
      `700,/vmfs/volumes/${DS2.uuid},true,900,NFS,${DS2.uuid},${DS2.name},`,
      '1,/vmfs/volumes/fba38b96-3245ef28-c891-f1701f542928,true,2,vfat,fba38b96-3245ef28-c891-f1701f542928,BOOTBANK1,',
      '1,/vmfs/volumes/68fa0239-da47d710-e904-001b21bcf020,true,2,VMFSOS,68fa0239-da47d710-e904-001b21bcf020,OSDATA,',
      '',
    ].join('\n'),
  );
  host.answer(
    'esxcli --formatter=csv network vswitch standard portgroup list',
    [
      'ActiveClients,Name,VLANID,VirtualSwitch,',
      '1,VM Network,0,vSwitch0,',
      '1,DMZ VLAN/20,20,vSwitch1,',
      "0,it's $(trunk),4095,vSwitch1,",
      '',
    ].join('\n'),
  );
  const policy = 'network vswitch standard portgroup policy security get -p';
  host.answer(
    `esxcli ${policy} VM Network`,
    '   Allow Promiscuous: false\n   Override Vswitch Allow Promiscuous: false\n',
  );
  host.answer(
    `esxcli ${policy} DMZ VLAN/20`,
    '   Allow Promiscuous: false\n   Override Vswitch Allow Promiscuous: true\n',
  );
  host.answer(
    `esxcli ${policy} it's $(trunk)`,
    '   Allow Promiscuous: true\n   Override Vswitch Allow Promiscuous: true\n',
  );
  host.answer('esxcli network vswitch standard policy security get -v vSwitch0', '   Allow Promiscuous: false\n');
  host.answer('esxcli network vswitch standard policy security get -v vSwitch1', '   Allow Promiscuous: true\n');
}
