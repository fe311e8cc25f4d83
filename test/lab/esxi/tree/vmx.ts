import { spacedUuid, type Disk, type Host, type Vm } from './resolve.js';

// Keys, their spelling and their rough order as in the recordings vmx.virt-v2v.{1,3,5}.vmx; `|XX` escapes a byte.
function escaped(value: string): string {
  const escape = (char: string) => `|${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  return value.replace(/[|"\n\r]/g, escape);
}

function diskLines(vm: Vm, disk: Disk): [string, string][] {
  const top = disk.links.at(-1)?.file ?? '';
  const own = disk.datastore === vm.datastore && disk.folder === vm.folder;
  const fileName = own ? top : `/vmfs/volumes/${disk.datastore.uuid}/${disk.folder}/${top}`;
  const type = disk.label.startsWith('scsi') ? 'scsi-hardDisk' : disk.label.startsWith('ide') ? 'ata-hardDisk' : null;
  return [
    ...(type === null ? [] : [[`${disk.label}.deviceType`, type] as [string, string]]),
    [`${disk.label}.fileName`, fileName],
    ...(disk.mode === 'persistent'
      ? []
      : [[`${disk.label}.mode`, disk.mode.replace('independent_', 'independent-')] as [string, string]]),
    ...(disk.spec.sharing === undefined ? [] : [[`${disk.label}.sharing`, disk.spec.sharing] as [string, string]]),
    [`${disk.label}.present`, 'TRUE'],
    ...(vm.spec.changeTracking === true ? [[`${disk.label}.ctkEnabled`, 'TRUE'] as [string, string]] : []),
  ];
}

function controllerLines(vm: Vm): [string, string][] {
  const seen = new Map<string, Disk>();
  for (const disk of vm.disks) seen.set(disk.label.split(':')[0] ?? disk.label, disk);
  return [...seen].flatMap(([name, disk]): [string, string][] => {
    if (name.startsWith('ide')) return [];
    return name.startsWith('scsi')
      ? [
          [`${name}.virtualDev`, disk.controller],
          [`${name}.present`, 'TRUE'],
        ]
      : [[`${name}.present`, 'TRUE']];
  });
}

function nicLines(vm: Vm): [string, string][] {
  return vm.nics.flatMap((nic): [string, string][] => {
    const name = `ethernet${nic.index}`;
    return [
      ...(nic.model === 'flexible' ? [] : [[`${name}.virtualDev`, nic.model] as [string, string]]),
      [`${name}.networkName`, nic.spec.network],
      [`${name}.addressType`, nic.addressType],
      ...(nic.startConnected ? [] : [[`${name}.startConnected`, 'FALSE'] as [string, string]]),
      [`${name}.present`, 'TRUE'],
      nic.addressType === 'static' ? [`${name}.address`, nic.mac] : [`${name}.generatedAddress`, nic.mac],
    ];
  });
}

/** The text of a VM's .vmx file. */
export function vmxText(vm: Vm): string {
  const cdrom: [string, string][] =
    vm.spec.cdrom === undefined
      ? [
          ['ide1:0.startConnected', 'FALSE'],
          ['ide1:0.deviceType', 'cdrom-raw'],
          ['ide1:0.fileName', 'emptyBackingString'],
          ['ide1:0.present', 'TRUE'],
        ]
      : [
          ['ide1:0.deviceType', 'cdrom-image'],
          ['ide1:0.fileName', vm.spec.cdrom],
          ['ide1:0.present', 'TRUE'],
        ];
  const lines: [string, string][] = [
    ['.encoding', 'UTF-8'],
    ['config.version', '8'],
    ['virtualHW.version', String(vm.hardwareVersion)],
    ['nvram', `${vm.file}.nvram`],
    ['pciBridge0.present', 'TRUE'],
    ['svga.present', 'TRUE'],
    ['pciBridge4.present', 'TRUE'],
    ['pciBridge4.virtualDev', 'pcieRootPort'],
    ['pciBridge4.functions', '8'],
    ['vmci0.present', 'TRUE'],
    ['hpet0.present', 'TRUE'],
    ['floppy0.present', 'FALSE'],
    ['displayName', vm.name],
    ['extendedConfigFile', `${vm.file}.vmxf`],
    ...(vm.cpus === 1 ? [] : [['numvcpus', String(vm.cpus)] as [string, string]]),
    ...(vm.coresPerSocket === 1 ? [] : [['cpuid.coresPerSocket', String(vm.coresPerSocket)] as [string, string]]),
    ['memSize', String(vm.memoryMib)],
    ...(vm.firmware === 'efi' ? [['firmware', 'efi'] as [string, string]] : []),
    ...(vm.spec.secureBoot === true ? [['uefi.secureBoot.enabled', 'TRUE'] as [string, string]] : []),
    ...(vm.spec.changeTracking === true ? [['ctkEnabled', 'TRUE'] as [string, string]] : []),
    ['powerType.powerOff', 'soft'],
    ['powerType.suspend', 'hard'],
    ['powerType.reset', 'soft'],
    ...controllerLines(vm),
    ...vm.disks.flatMap((disk) => diskLines(vm, disk)),
    ...cdrom,
    ...nicLines(vm),
    ['guestOS', vm.vmxGuestOs],
    ['toolScripts.afterPowerOn', 'TRUE'],
    ['uuid.bios', spacedUuid(vm.uuid)],
    ['uuid.location', spacedUuid(vm.uuid)],
    ...(vm.spec.annotation === undefined ? [] : [['annotation', vm.spec.annotation] as [string, string]]),
    ['cleanShutdown', vm.power === 'off' ? 'TRUE' : 'FALSE'],
    ...(vm.power === 'suspended' ? [['checkpoint.vmState', `${vm.file}-5c2d9e1f.vmss`] as [string, string]] : []),
    ['tools.syncTime', 'FALSE'],
    ...Object.entries(vm.spec.vmx ?? {}),
  ];
  return lines.map(([key, value]) => `${key} = "${escaped(value)}"\n`).join('');
}

/** The text of a VM's .vmsd file: its snapshot chain. Keys as VMware's products write them; empty without snapshots. */
export function vmsdText(vm: Vm): string {
  if (vm.snapshots.length === 0) return '';
  const lines: [string, string][] = [
    ['.encoding', 'UTF-8'],
    ['snapshot.lastUID', String(vm.snapshots.length)],
    ['snapshot.current', String(vm.snapshots.length)],
  ];
  vm.snapshots.forEach((snapshot, level) => {
    const name = `snapshot${level}`;
    const disks = vm.disks.filter((disk) => disk.links.length > 1);
    lines.push([`${name}.uid`, String(level + 1)], [`${name}.filename`, `${vm.file}-Snapshot${level + 1}.vmsn`]);
    if (level > 0) lines.push([`${name}.parent`, String(level)]);
    lines.push([`${name}.displayName`, snapshot.name], [`${name}.description`, snapshot.description]);
    lines.push([`${name}.createTimeHigh`, '414723'], [`${name}.createTimeLow`, '-1523456789']);
    lines.push([`${name}.numDisks`, String(disks.length)]);
    disks.forEach((disk, index) => {
      lines.push([`${name}.disk${index}.fileName`, disk.links[level]?.file ?? '']);
      lines.push([`${name}.disk${index}.node`, disk.label]);
    });
  });
  lines.push(['snapshot.numSnapshots', String(vm.snapshots.length)]);
  return lines.map(([key, value]) => `${key} = "${escaped(value)}"\n`).join('');
}

/** Enough of a vmware.log to look like one. */
export function logText(vm: Vm, host: Host): string {
  return [
    `2026-10-04T19:00:52.114Z In(05) vmx - Log for VMware ESX pid=2098765 version=${host.version} build=build-${host.build}`,
    `2026-10-04T19:00:52.114Z In(05) vmx - DICT displayName = "${vm.name}"`,
    '',
  ].join('\n');
}
