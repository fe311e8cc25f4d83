import { hardware } from './devices.js';
import type { Host, Vm } from './resolve.js';
import { list, nil, object, printVim, ref, unset } from './vim-object.js';

/** A VM's power as a real host names it. */
type Power = 'on' | 'off' | 'suspended';
const POWER = { on: 'poweredOn', off: 'poweredOff', suspended: 'suspended' };

const toolsFields = (vm: Vm, power: Power) => {
  const running = power === 'on' && (vm.tools === 'running' || vm.tools === 'stuck');
  const none = vm.tools === 'none';
  return {
    toolsStatus: none ? 'toolsNotInstalled' : running ? 'toolsOk' : 'toolsNotRunning',
    toolsVersionStatus: none ? 'guestToolsNotInstalled' : 'guestToolsCurrent',
    toolsVersionStatus2: none ? 'guestToolsNotInstalled' : 'guestToolsCurrent',
    toolsRunningStatus: running ? 'guestToolsRunning' : 'guestToolsNotRunning',
  };
};
const reports = (vm: Vm, power: Power) => toolsFields(vm, power).toolsRunningStatus === 'guestToolsRunning';
const firstAddress = (vm: Vm) => vm.nics.flatMap((nic) => nic.spec.ipAddresses ?? [])[0] ?? '';
export const hostNameOf = (vm: Vm) =>
  vm.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

/** `vmsvc/get.summary ID` (recording get.summary.6.x). */
export function summaryText(vm: Vm, power: Power, host: Host): string {
  const flat = vm.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  const value = object('vim.vm.Summary', {
    vm: ref(`vim.VirtualMachine:${vm.id}`),
    runtime: object('vim.vm.RuntimeInfo', {
      device: list('vim.vm.DeviceRuntimeInfo', []),
      host: ref('vim.HostSystem:ha-host'),
      connectionState: 'connected',
      powerState: POWER[power],
      faultToleranceState: 'notConfigured',
      dasVmProtection: nil('vim.vm.RuntimeInfo.DasProtectionState'),
      toolsInstallerMounted: false,
      suspendTime: unset,
      bootTime: power === 'on' ? '2026-10-04T19:00:52.114488Z' : unset,
      suspendInterval: 0,
      question: nil('vim.vm.QuestionInfo'),
      memoryOverhead: unset,
      maxCpuUsage: 2294 * vm.cpus,
      maxMemoryUsage: vm.memoryMib,
      numMksConnections: 0,
      recordReplayState: 'inactive',
      cleanPowerOff: power === 'on' ? unset : true,
      needSecondaryReason: unset,
      onlineStandby: false,
      minRequiredEVCModeKey: unset,
      consolidationNeeded: false,
      offlineFeatureRequirement: list('vim.vm.FeatureRequirement', [
        object('vim.vm.FeatureRequirement', { key: 'cpuid.lm', featureName: 'cpuid.lm', value: 'Bool:Min:1' }),
      ]),
      featureRequirement: unset,
      vFlashCacheAllocation: 0,
      paused: false,
      snapshotInBackground: false,
      quiescedForkParent: unset,
    }),
    guest: object('vim.vm.Summary.GuestSummary', {
      guestId: reports(vm, power) ? vm.guestId : unset,
      guestFullName: reports(vm, power) ? vm.guestId : unset,
      ...toolsFields(vm, power),
      hostName: reports(vm, power) ? hostNameOf(vm) : unset,
      ipAddress: reports(vm, power) && firstAddress(vm) !== '' ? firstAddress(vm) : unset,
    }),
    config: object('vim.vm.Summary.ConfigSummary', {
      name: vm.name,
      template: vm.spec.template ?? false,
      vmPathName: vmPath(vm),
      memorySizeMB: vm.memoryMib,
      cpuReservation: 0,
      memoryReservation: 0,
      numCpu: vm.cpus,
      numEthernetCards: vm.nics.length,
      numVirtualDisks: vm.disks.length,
      uuid: vm.uuid,
      instanceUuid: vm.uuid.replace(/^564d/, '5220'),
      guestId: vm.guestId,
      guestFullName: vm.guestId,
      annotation: vm.spec.annotation ?? '',
      product: nil('vim.vApp.ProductInfo'),
      installBootRequired: unset,
      ftInfo: nil('vim.vm.FaultToleranceConfigInfo'),
      managedBy: nil('vim.ext.ManagedByInfo'),
    }),
    storage: object('vim.vm.Summary.StorageSummary', {
      committed: Math.floor(flat / 4),
      uncommitted: flat - Math.floor(flat / 4),
      unshared: Math.floor(flat / 4),
      timestamp: '2026-10-04T19:00:52.114343Z',
    }),
    quickStats: object('vim.vm.Summary.QuickStats', {
      overallCpuUsage: power === 'on' ? 23 : 0,
      guestMemoryUsage: power === 'on' ? 40 : 0,
      hostMemoryUsage: power === 'on' ? vm.memoryMib : 0,
      guestHeartbeatStatus: reports(vm, power) ? 'green' : 'gray',
      uptimeSeconds: power === 'on' ? 13308 : 0,
    }),
    overallStatus: 'green',
  });
  return `Listsummary:\n\n${printVim(value, host.version)}\n`;
}

/** `vmsvc/get.guest ID` (recordings get.guest.6.x with Tools, get.guest.8.0 without). */
export function guestText(vm: Vm, power: Power, host: Host): string {
  const known = reports(vm, power);
  const nicInfo = vm.nics
    .filter((nic) => nic.spec.ipAddresses !== undefined)
    .map((nic) => {
      const addresses = nic.spec.ipAddresses ?? [];
      return object('vim.vm.GuestInfo.NicInfo', {
        network: nic.spec.network,
        ipAddress: list('string', addresses),
        macAddress: nic.mac,
        connected: true,
        deviceConfigId: 4000 + nic.index,
        dnsConfig: nil('vim.net.DnsConfigInfo'),
        ipConfig: object('vim.net.IpConfigInfo', {
          ipAddress: list(
            'vim.net.IpConfigInfo.IpAddress',
            addresses.map((ipAddress) =>
              object('vim.net.IpConfigInfo.IpAddress', {
                ipAddress,
                prefixLength: ipAddress.includes(':') ? 64 : 24,
                origin: unset,
                state: ipAddress.includes(':') ? 'unknown' : 'preferred',
                lifetime: unset,
              }),
            ),
          ),
          dhcp: nil('vim.net.DhcpConfigInfo'),
          autoConfigurationEnabled: unset,
        }),
        netBIOSConfig: nil('vim.net.NetBIOSConfigInfo'),
      });
    });
  const value = object('vim.vm.GuestInfo', {
    ...toolsFields(vm, power),
    toolsVersion: vm.tools === 'none' ? '0' : '12352',
    toolsInstallType: vm.tools === 'none' ? 'guestToolsTypeUnknown' : 'guestToolsTypeOpenVMTools',
    toolsUpdateStatus: nil('vim.vm.GuestInfo.ToolsUpdateStatus'),
    guestId: known ? vm.guestId : unset,
    guestFamily: known ? 'linuxGuest' : unset,
    guestFullName: known ? vm.guestId : unset,
    guestDetailedData: unset,
    hostName: known ? hostNameOf(vm) : unset,
    ipAddress: known && firstAddress(vm) !== '' ? firstAddress(vm) : unset,
    net: known ? list('vim.vm.GuestInfo.NicInfo', nicInfo) : unset,
    ipStack: unset,
    disk: unset,
    screen: object('vim.vm.GuestInfo.ScreenInfo', { width: 1024, height: 768 }),
    guestState: known ? 'running' : 'notRunning',
    hwVersion: `vmx-${vm.hardwareVersion}`,
  });
  return `Guest information:\n\n${printVim(value, host.version)}\n`;
}

/** `vmsvc/device.getdevices ID` (recording device.getdevices.6.x). */
export function devicesText(vm: Vm, power: Power, host: Host): string {
  return `Devices:\n\n${printVim(hardware(vm, power === 'on'), host.version)}\n`;
}

/** `vmsvc/get.config ID`: heading and object as public session logs show them; fields by the vSphere API's names. */
export function configText(vm: Vm, power: Power, host: Host): string {
  const folder = `[${vm.datastore.name}] ${vm.folder}`;
  const value = object('vim.vm.ConfigInfo', {
    changeVersion: '2026-10-04T19:00:52.114461Z',
    modified: '1970-01-01T00:00:00Z',
    name: vm.name,
    guestFullName: vm.guestId,
    version: `vmx-${vm.hardwareVersion}`,
    uuid: vm.uuid,
    instanceUuid: vm.uuid.replace(/^564d/, '5220'),
    npivTemporaryDisabled: true,
    locationId: vm.uuid,
    template: vm.spec.template ?? false,
    guestId: vm.guestId,
    alternateGuestName: '',
    annotation: vm.spec.annotation ?? '',
    files: object('vim.vm.FileInfo', {
      vmPathName: vmPath(vm),
      snapshotDirectory: folder,
      suspendDirectory: folder,
      logDirectory: folder,
    }),
    hardware: hardware(vm, power === 'on'),
    extraConfig: list('vim.option.OptionValue', [
      object('vim.option.OptionValue', { key: 'nvram', value: `${vm.file}.nvram` }),
    ]),
    changeTrackingEnabled: vm.spec.changeTracking ?? false,
    firmware: vm.firmware,
    bootOptions: object('vim.vm.BootOptions', { efiSecureBootEnabled: vm.spec.secureBoot ?? false }),
  });
  return `Configuration:\n\n${printVim(value, host.version)}\n`;
}

/** `vmsvc/snapshot.get ID` (recordings snapshot.get.{6.5,8.0}; "Desciption" is VMware's spelling). */
export function snapshotText(vm: Vm): string {
  const lines = ['Get Snapshot:'];
  vm.snapshots.forEach((snapshot, level) => {
    const dashes = '--'.repeat(level);
    lines.push(`${dashes}|-${level === 0 ? 'ROOT' : 'CHILD'}`);
    const state = { on: 'powered on', off: 'powered off', suspended: 'suspended' }[snapshot.state];
    for (const [label, text] of [
      ['Name        ', snapshot.name],
      ['Id        ', String(level + 1)],
      ['Desciption  ', snapshot.description],
      ['Created On  ', snapshot.createdOn],
      ['State       ', state],
    ]) {
      lines.push(`${dashes}--Snapshot ${label ?? ''}: ${text ?? ''}`);
    }
  });
  return `${lines.join('\n')}\n`;
}

/** `[datastore1] web01/web01.vmx`; a template's file ends in .vmtx. */
export function vmPath(vm: Vm): string {
  return `[${vm.datastore.name}] ${vm.folder}/${vm.file}.${vm.spec.template === true ? 'vmtx' : 'vmx'}`;
}
