import {
  csvRow,
  field,
  jsonRow,
  keyValueRow,
  record,
  xmlRow,
  type Answer,
  type Field,
  type Formatter,
  type KeyedAnswers,
} from './esxcli-format.js';
import { spacedUuid, type Host, type PortGroup, type Vm } from './resolve.js';

const VMKERNEL_GROUPS = new Set(['Management Network']);

/** The commands whose answer never changes. */
export function staticAnswers(host: Host): Answer[] {
  const uuidBytes = (host.uuid.replaceAll('-', '').match(/../g) ?? []).map((byte) => `0x${byte.replace(/^0/, '')}`);
  return [
    {
      command: 'system version get',
      typeName: 'VersionGet',
      screen: 'record',
      rows: [
        [
          field('Product', 'VMware ESXi'),
          field('Version', host.version),
          field('Build', `Releasebuild-${host.build}`),
          field('Update', host.update),
          field('Patch', host.patch),
        ],
      ],
    },
    {
      command: 'system hostname get',
      typeName: 'FullyQualifiedHostName',
      screen: 'record',
      rows: [
        [field('Domain Name', ''), field('Fully Qualified Domain Name', host.name), field('Host Name', host.name)],
      ],
    },
    {
      command: 'system uuid get',
      typeName: 'String',
      screen: 'word',
      rows: [[field('Value', `5e0026d9-a647-150e-d8a8-4cedfb76e9d5`)]],
    },
    {
      command: 'hardware platform get',
      typeName: 'PlatformGet',
      screen: 'record',
      heading: 'Platform Information',
      rows: [
        [
          field('UUID', uuidBytes.join(' ')),
          field('Product Name', 'PowerEdge R620'),
          field('Vendor Name', 'Dell Inc.'),
          field('Serial Number', 'ABC1234'),
          field('Enclosure Serial Number', 'ABC1234'),
          field('BIOS Asset Tag', ''),
          field('IPMI Supported', true),
        ],
      ],
    },
    {
      command: 'storage filesystem list',
      typeName: 'FilesystemVolume',
      screen: 'table',
      rows: host.datastores.map((store) => [
        field('Mount Point', `/vmfs/volumes/${store.uuid}`),
        field('Volume Name', store.name),
        field('UUID', store.uuid),
        field('Mounted', true),
        field('Type', store.type),
        field('Size', store.capacityBytes),
        field('Free', store.freeBytes),
      ]),
    },
    {
      command: 'network vswitch standard list',
      typeName: 'VirtualSwitch',
      screen: 'records',
      rows: host.vswitches.map((vswitch) => [
        field('Name', vswitch.name),
        field('Class', 'cswitch'),
        field('Num Ports', 6400),
        field('Used Ports', 4),
        field('Configured Ports', 128),
        field('MTU', 1500),
        field('CDP Status', 'listen'),
        field('Beacon Enabled', false),
        field('Beacon Interval', 1),
        field('Beacon Threshold', 3),
        field('Beacon Required By', []),
        field('Uplinks', vswitch.uplinks),
        field(
          'Portgroups',
          vswitch.portGroups.map((group) => group.name),
        ),
      ]),
    },
    {
      command: 'network vswitch standard portgroup list',
      typeName: 'PortGroup',
      screen: 'table',
      rows: host.vswitches
        .flatMap((vswitch) => vswitch.portGroups.map((group) => ({ vswitch, group })))
        .sort((a, b) => (a.group.name < b.group.name ? -1 : 1))
        .map(({ vswitch, group }) => [
          field('Name', group.name),
          field('Virtual Switch', vswitch.name),
          field('Active Clients', VMKERNEL_GROUPS.has(group.name) ? 1 : clients(host, group)),
          field('VLAN ID', group.vlan ?? 0),
        ]),
    },
  ];
}

function clients(host: Host, group: PortGroup): number {
  return host.vms
    .filter((vm) => vm.power === 'on')
    .flatMap((vm) => vm.nics)
    .filter((nic) => nic.spec.network === group.name).length;
}

/** The commands that ask for one object by name. Labels by VMware's esxcli reference. */
export function keyedAnswers(host: Host): KeyedAnswers[] {
  const policy = (promiscuous: boolean) => [
    field('Allow Promiscuous', promiscuous),
    field('Allow MAC Address Change', false),
    field('Allow Forged Transmits', false),
  ];
  const seconds = (path: string, value: number, description: string) => ({
    key: path,
    answer: {
      command: 'system settings advanced list',
      typeName: 'SettingsAdvancedOption',
      screen: 'record' as const,
      rows: [
        [
          field('Path', path),
          field('Type', 'integer'),
          field('Int Value', value),
          field('Default Int Value', 0),
          field('Min Value', 0),
          field('Max Value', 86400),
          field('String Value', ''),
          field('Default String Value', ''),
          field('Valid Characters', ''),
          field('Description', description),
        ],
      ],
    },
  });
  return [
    {
      command: 'network vswitch standard policy security get',
      answers: host.vswitches.map((vswitch) => ({
        key: vswitch.name,
        answer: {
          command: 'network vswitch standard policy security get',
          typeName: 'VswitchSecurityPolicy',
          screen: 'record',
          rows: [policy(vswitch.promiscuous)],
        },
      })),
    },
    {
      command: 'network vswitch standard portgroup policy security get',
      answers: host.vswitches.flatMap((vswitch) =>
        vswitch.portGroups.map((group) => ({
          key: group.name,
          answer: {
            command: 'network vswitch standard portgroup policy security get',
            typeName: 'PortgroupSecurityPolicy',
            screen: 'record' as const,
            rows: [
              [
                ...policy(group.promiscuous ?? vswitch.promiscuous),
                field('Override Vswitch Allow Promiscuous', group.promiscuous !== undefined),
                field('Override Vswitch Allow MAC Address Change', false),
                field('Override Vswitch Allow Forged Transmits', false),
              ],
            ],
          },
        })),
      ),
    },
    {
      command: 'system settings advanced list',
      answers: [
        seconds(
          '/UserVars/ESXiShellTimeOut',
          host.shellTimeoutSeconds,
          'Time before automatically disabling local and remote shell access (in seconds, 0 disables).',
        ),
        seconds(
          '/UserVars/ESXiShellInteractiveTimeOut',
          host.shellInteractiveTimeoutSeconds,
          'Idle time before an interactive shell is automatically logged out (in seconds, 0 disables).',
        ),
      ],
    },
  ];
}

/** One VM's part of `vm process list`, which shows running VMs only (recording esxcli-vm-process-list.6.5). */
export function processRow(vm: Vm): { typeName: string; row: Field[] } {
  return {
    typeName: 'VirtualMachine',
    row: [
      field('World ID', 2557323 + vm.id * 10),
      field('Process ID', 0),
      field('VMX Cartel ID', 2557322 + vm.id * 10),
      field('UUID', spacedUuid(vm.uuid)),
      field('Display Name', vm.name),
      field('Config File', `/vmfs/volumes/${vm.datastore.uuid}/${vm.folder}/${vm.file}.vmx`),
    ],
  };
}

/** That part as each formatter shows it, without what stands around the list. */
export function processFragments(vm: Vm): Record<Formatter, string> {
  const { typeName, row } = processRow(vm);
  return {
    text: `${vm.name}\n${record(row)}`,
    csv: csvRow(row),
    xml: xmlRow(typeName, row, ' '.repeat(9)),
    keyvalue: keyValueRow(typeName, row),
    json: jsonRow(row),
  };
}
