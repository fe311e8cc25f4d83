import type { PlannedVm } from '../plan/document/index.js';
import { hostnameOf } from '../plan/names.js';
import { imageFileOf, shown } from './names.js';
import { stillOff } from './source-steps.js';
import type { GuideCommand, GuideInput, GuideServer, GuideStep } from './types.js';
import { command, openstack, option, variable, type Word } from './words.js';

type Image = PlannedVm['images'][number];
type Port = PlannedVm['ports'][number];

/** How long it may take: what `migrate` waits, too. */
const SERVER_SECONDS = 600;

/** The client writes these on an image by itself; a migration has none of them, and volumes would inherit them. */
const CLIENT_PROPERTIES = ['md5', 'sha256', 'object'].map((name) => `owner_specified.openstack.${name}`);

const property = (key: string, value: string): Word[] => option('--property', `${key}=${value}`);

export function imageStep(image: Image, index: number): GuideStep {
  const id = `IMAGE${index}`;
  const file = imageFileOf(image.label, image.format);
  const firmware =
    image.properties['hw_firmware_type'] === 'uefi' ? ' The VM boots by UEFI, and so will the server.' : '';
  return {
    title: `Upload the image of ${image.label}`,
    why: `The properties decide what hardware the server gets.${firmware} The client adds three properties of its own, which are taken off again (an older client has none, and says so).`,
    commands: [
      {
        kind: 'make',
        variable: id,
        text: openstack(['image', 'create'], image.name, [
          ...['--private', '--disk-format', image.format, '--container-format', 'bare'],
          ...['--min-disk', String(image.min_disk_gib), '--file', file],
          ...Object.entries(image.properties).flatMap(([key, value]) => property(key, value)),
          ...['-f', 'value', '-c', 'id'],
        ]),
      },
      {
        kind: 'run',
        text: `${command('openstack', 'image', 'unset', ...CLIENT_PROPERTIES.flatMap((name) => ['--property', name]), variable(id))} || true`,
      },
    ],
    check: {
      text: "Glance's hash is the file's, and the image is active.",
      commands: [
        {
          kind: 'check',
          text: `openstack image show "$${id}" -f json | grep -F "$(sha512sum < ${file} | cut -d ' ' -f 1)"`,
          wrong: `image ${shown(image.name)} does not hold what ${file} holds`,
        },
        {
          kind: 'check',
          text: `test "$(openstack image show "$${id}" -f value -c status)" = active`,
          wrong: `image ${shown(image.name)} is not active`,
        },
      ],
    },
    undo: { text: 'Delete the image.', commands: [{ variable: id, text: `openstack image delete "$${id}"` }] },
  };
}

export function portStep(port: Port, index: number): GuideStep {
  const id = `PORT${index}`;
  const groups = port.security_groups;
  return {
    title: `Make the port of ${port.label}`,
    why: [
      port.mac === null
        ? 'Neutron chooses a MAC address.'
        : `The MAC address is kept, for a guest may know its NIC by it. If it is taken, ${port.mac_required ? 'find out by what: this one was asked for' : 'leave --mac-address out, and look at the network configuration inside the guest'}.`,
      groups === null
        ? "The project's default security group lets in only its own members."
        : groups.length === 0
          ? 'No security group: nothing gets in.'
          : '',
    ]
      .join(' ')
      .trim(),
    commands: [
      {
        kind: 'make',
        variable: id,
        text: openstack(['port', 'create'], port.name, [
          ...option('--network', port.network),
          ...(port.mac === null ? [] : ['--mac-address', port.mac]),
          ...(port.addresses ?? []).flatMap((address) => ['--fixed-ip', fixedIp(address)]),
          ...(port.addresses?.length === 0 ? ['--no-fixed-ip'] : []),
          ...(groups === null
            ? []
            : groups.length === 0
              ? ['--no-security-group']
              : groups.flatMap((group) => option('--security-group', group))),
          ...['-f', 'value', '-c', 'id'],
        ]),
      },
    ],
    check: {
      text: 'Its MAC address and its addresses are what you want.',
      commands: [
        ...(port.mac === null
          ? []
          : [
              {
                kind: 'check',
                text: `test "$(openstack port show "$${id}" -f value -c mac_address)" = ${port.mac}`,
                wrong: `port ${shown(port.name)} does not have the MAC ${port.mac}`,
              } satisfies GuideCommand,
            ]),
        { kind: 'run', text: `openstack port show "$${id}" -f value -c mac_address -c fixed_ips` },
      ],
    },
    undo: { text: 'Delete the port.', commands: [{ variable: id, text: `openstack port delete "$${id}"` }] },
  };
}

function fixedIp({ subnet, ip }: { subnet?: string; ip?: string }): string {
  return [subnet === undefined ? '' : `subnet=${subnet}`, ip === undefined ? '' : `ip-address=${ip}`]
    .filter((part) => part !== '')
    .join(',');
}

/** For a flavor that the plan wants made: clouds let only admins do that. */
export function flavorStep(server: GuideServer, input: GuideInput): GuideStep[] {
  const size = server.create_flavor;
  if (size === null) return [];
  const create = openstack(['flavor', 'create'], server.flavor, [
    ...['--id', server.flavor, '--vcpus', String(size.vcpus), '--ram', String(size.ram_mib), '--disk', '0'],
    '--private',
    ...(input.cloud === null ? [] : ['--project', input.cloud.project_id]),
  ]);
  const show = (column: string) => openstack(['flavor', 'show'], server.flavor, ['-f', 'value', '-c', column]);
  const has = (column: string, value: number): GuideCommand => ({
    kind: 'check',
    text: `test "$(${show(column)})" = ${value}`,
    wrong: `flavor ${shown(server.flavor)} has another size`,
  });
  return [
    {
      title: `Make the flavor ${shown(server.flavor)}`,
      why: 'No flavor has exactly this size. Most clouds let only admins make one.',
      commands: [{ kind: 'run', text: `${show('id')} 2>/dev/null ||\n  ${create}` }],
      check: {
        text: `It has ${size.vcpus} vCPU and ${size.ram_mib} MiB.`,
        commands: [has('vcpus', size.vcpus), has('ram', size.ram_mib)],
      },
      undo: {
        text: 'Delete it, if no other server uses it.',
        commands: [{ text: openstack(['flavor', 'delete'], server.flavor, []), byHand: true }],
      },
    },
  ];
}

export function serverStep(input: GuideInput, server: GuideServer): GuideStep {
  const disks = input.volumes
    .slice(1)
    .flatMap((_, index): Word[] => [
      '--block-device',
      [
        'uuid=',
        variable(`VOLUME${index + 1}`),
        ',source_type=volume,destination_type=volume,boot_index=-1,delete_on_termination=false',
      ],
    ]);
  const { version, hostname, tags } = novaWords(server, input.cloud?.compute ?? null);
  const create = openstack(['--os-compute-api-version', version, 'server', 'create'], server.name, [
    ...option('--flavor', server.flavor),
    ...['--volume', variable('VOLUME0')],
    ...disks,
    ...(input.ports.length === 0
      ? ['--nic', 'none']
      : input.ports.flatMap((_, index): Word[] => ['--port', variable(`PORT${index}`)])),
    ...(hostname === null ? [] : option('--hostname', hostname)),
    ...(server.key_name === null ? [] : option('--key-name', server.key_name)),
    ...(server.zone === null ? [] : option('--availability-zone', server.zone)),
    ...(server.config_drive ? ['--use-config-drive'] : []),
    ...Object.entries(server.metadata).flatMap(([key, value]) => property(key, value)),
    ...tags.flatMap((tag) => option('--tag', tag)),
    ...['-f', 'value', '-c', 'id'],
  ]);
  const name = shown(server.name);
  return {
    title: `Make the server ${name}`,
    why:
      'First a last look at the source: it must be off, or two machines with one identity would run. The volumes follow in ' +
      'the order of the disks, the ports in the order of the NICs, and no volume goes when the server is deleted. Nova ' +
      'starts the server at once.',
    commands: [
      stillOff(input),
      { kind: 'make', variable: 'SERVER', text: create },
      {
        kind: 'wait',
        text: 'openstack server show "$SERVER" -f value -c status',
        what: `server ${name} to be ACTIVE`,
        wanted: '^ACTIVE$',
        failed: '^ERROR$',
        seconds: SERVER_SECONDS,
      },
    ],
    check: {
      text: 'ACTIVE says that the hypervisor runs it. If it is ERROR, its fault says why (openstack server show).',
      commands: [{ kind: 'run', text: 'openstack server show "$SERVER" -f value -c name -c status -c addresses' }],
    },
    undo: {
      text: 'Delete the server; its volumes stay. What its guest has written since it started stays in them only.',
      commands: [{ variable: 'SERVER', text: 'openstack server delete --wait "$SERVER"' }],
    },
  };
}

/** What this Nova understands of the plan, and the microversion that says it; the newest is assumed where not known. */
function novaWords(
  server: GuideServer,
  newest: string | null,
): { version: string; hostname: string | null; tags: readonly string[] } {
  const knows = (minor: number) => newest === null || Number(newest.split('.')[1] ?? 0) >= minor;
  const own = server.hostname === undefined ? hostnameOf(server.name) : server.hostname;
  const hostname = knows(90) ? own : null;
  const tags = knows(52) ? server.tags : [];
  // 2.37: no network at all; before 2.19 Nova made the name a description, too.
  const wanted = hostname !== null ? 90 : tags.length > 0 ? 52 : 37;
  return { version: knows(wanted) ? `2.${wanted}` : (newest ?? '2.1'), hostname, tags };
}
