import type { Host } from './resolve.js';
import { list, object, printVim, ref, unset, type VimValue } from './vim-object.js';

/** `hostsvc/hostsummary`: no heading, by session logs of 5.x, 7.0 and 8.0 hosts. */
export function hostSummaryText(host: Host): string {
  const value = object('vim.host.Summary', {
    host: ref('vim.HostSystem:ha-host'),
    hardware: object('vim.host.Summary.HardwareSummary', {
      vendor: 'Dell Inc.',
      model: 'PowerEdge R620',
      uuid: host.uuid,
      otherIdentifyingInfo: list('vim.host.SystemIdentificationInfo', [
        object('vim.host.SystemIdentificationInfo', {
          identifierValue: ' unknown',
          identifierType: object('vim.ElementDescription', {
            label: 'Asset Tag',
            summary: 'Asset tag of the system',
            key: 'AssetTag',
          }),
        }),
      ]),
      memorySize: 68687986688,
      cpuModel: 'Intel(R) Xeon(R) CPU E5-2620 0 @ 2.00GHz',
      cpuMhz: 1999,
      numCpuPkgs: 2,
      numCpuCores: 12,
      numCpuThreads: 24,
      numNics: 4,
      numHBAs: 3,
    }),
    runtime: object('vim.host.RuntimeInfo', {
      connectionState: 'connected',
      powerState: 'poweredOn',
      inMaintenanceMode: false,
    }),
    config: object('vim.host.Summary.ConfigSummary', {
      name: host.name,
      port: 902,
      product: object('vim.AboutInfo', {
        name: 'VMware ESXi',
        fullName: `VMware ESXi ${host.version} build-${host.build}`,
        vendor: 'VMware, Inc.',
        version: host.version,
        build: host.build,
      }),
    }),
  });
  return `${printVim(value, host.version)}\n`;
}

/** `hostsvc/hosthardware`: the object of the vSphere API; its heading was not seen, so there is none. */
export function hostHardwareText(host: Host): string {
  const value: VimValue = object('vim.host.HardwareInfo', {
    systemInfo: object('vim.host.SystemInfo', { vendor: 'Dell Inc.', model: 'PowerEdge R620', uuid: host.uuid }),
    cpuPowerManagementInfo: unset,
    memorySize: 68687986688,
  });
  return `${printVim(value, host.version)}\n`;
}

const LICENSE_NAMES: Record<string, string> = { eval: 'Evaluation Mode', esxBasic: 'VMware vSphere 8 Hypervisor' };

/** `vimsvc/license --show`, by session logs of 4.1, 6.0 and 9.0 hosts. */
export function licenseText(host: Host): string {
  const evaluation = host.license === 'eval';
  const major = host.version.split('.')[0] ?? '8';
  return [
    '[200] Sending request for installed licenses...[200] Complete, result is:',
    `   serial: ${evaluation ? '00000-00000-00000-00000-00000' : 'AB12C-3DE4F-5GH6J-7KL8M-9NP0Q'}`,
    `   vmodl key: ${host.license}`,
    `   name: ${LICENSE_NAMES[host.license] ?? 'VMware vSphere'}`,
    `   total: ${evaluation ? 1 : 0}`,
    `   used:  ${evaluation ? 1 : 2}`,
    `   unit: ${evaluation ? 'host' : 'cpuPackage'}`,
    '   Properties:',
    '     [ProductName] = VMware ESX Server',
    `     [ProductVersion] = ${major}.0`,
    '     [feature] = vsmp:8 ("Up to 8-way virtual SMP")',
    `     [FileVersion] = ${major}.0.0.1`,
    '',
    '[200] End of report.',
    '',
  ].join('\n');
}
