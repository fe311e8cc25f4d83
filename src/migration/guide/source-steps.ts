import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { formatBytes } from '../../core/index.js';
import { imageFileOf, diskFolder, localDisk, localLinks, shown, workFolder } from './names.js';
import type { DiskFiles } from './disk-files.js';
import type { GuideCommand, GuideInput, GuideStep } from './types.js';
import { converterCommands } from './volume-steps.js';
import { command, shellWord, type Word } from './words.js';

/** How long a guest may take to shut down: what `migrate` waits, too. */
const SHUTDOWN_SECONDS = 300;

/** The host as SSH's clients name it. */
function login({ host }: GuideInput): Word[] {
  return [...(host.port === 22 ? [] : ['-p', String(host.port)]), `${host.user}@${host.host}`];
}

/** A command on the host, its text as the host's shell shall read it. */
export function onHost(input: GuideInput, text: string): string {
  return command('ssh', ...login(input), text);
}

function vimCmd(input: GuideInput, verb: string): string {
  return command('ssh', ...login(input), 'vim-cmd', `vmsvc/${verb}`, input.vm.id);
}

/**
 * The function that lets all commands share one login; the script has it, too. The socket's name is of this host, port
 * and account, and short: a socket's path may have some 100 characters, with 17 that ssh adds.
 */
export function sharedLogin({ host }: GuideInput): string {
  const whose = createHash('sha256').update(`${host.user}@${host.host}:${host.port}`).digest('hex').slice(0, 10);
  return `ssh() { command ssh -o ControlMaster=auto -o ControlPath="$HOME/.ssh/ferry-${whose}" -o ControlPersist=600 "$@"; }`;
}

export function prepareStep(input: GuideInput): GuideStep {
  const { cloud, host } = input;
  const folder = workFolder(input.vm);
  const total = input.disks.reduce((sum, disk) => sum + (disk.capacity_bytes ?? 0), 0);
  const scan = command('ssh-keyscan', ...(host.port === 22 ? [] : ['-p', String(host.port)]), host.host);
  const project: GuideCommand[] =
    cloud === null
      ? []
      : [
          {
            kind: 'check',
            text: `test "$(openstack token issue -f value -c project_id)" = ${shellWord(cloud.project_id)}`,
            wrong: `the login is not to project ${shown(cloud.project_name)} (${cloud.project_id})`,
          },
        ];
  const converter = input.via === 'cinder' ? converterCommands() : null;
  const copy =
    input.images.length === 0 || converter !== null
      ? 'the copies'
      : 'the copies and, once more at the most, for the images';
  return {
    title: 'Prepare this shell',
    why:
      `A folder for the files: ${formatBytes(total)} for ${copy}. One login to the host is shared by all commands, so its ` +
      'password is asked for once. The cloud is the one that OS_CLOUD or the other OS_* variables name.' +
      (converter === null
        ? ''
        : " This shell is root's, on a server of the project: the client attaches volumes to servers alone. What os-brick does on a machine beside the cloud has no command to paste: there let migrate do it, or take a guide that goes by images (without --via cinder)."),
    commands: [
      { kind: 'run', text: 'set +H   # in bash: a ! in a name is a letter', page: true },
      { kind: 'run', text: `mkdir -p ${folder} && cd ${folder}`, page: true },
      { kind: 'run', text: `mkdir -p -m 700 "$HOME/.ssh"\n${sharedLogin(input)}`, page: true },
      ...(cloud?.variables ?? []).map(([name, value]): GuideCommand => ({
        kind: 'run',
        text: `export ${name}=${shellWord(value)}`,
        page: true,
      })),
      ...(converter?.commands ?? []),
    ],
    check: {
      text: `The host's key is ${host.fingerprint === null ? 'one that the host itself shows (ssh-keygen -lf /etc/ssh/ssh_host_rsa_key.pub on its console)' : `${host.fingerprint}, as when this guide was made`}${cloud === null ? '' : `; the login to the cloud is one to project ${shown(cloud.project_name)}`}.`,
      commands: [
        host.fingerprint === null
          ? { kind: 'run', text: `${scan} 2>/dev/null | ssh-keygen -lf -`, page: true }
          : {
              kind: 'check',
              text: `${scan} 2>/dev/null | ssh-keygen -lf - | grep -F ${shellWord(host.fingerprint)}`,
              wrong: `${host.host} shows another host key than ${host.fingerprint}`,
            },
        ...project,
        ...(converter?.checks ?? []),
      ],
    },
    undo: { text: 'Nothing was changed.', commands: [] },
  };
}

export function offStep(input: GuideInput): GuideStep {
  const { vm } = input;
  const name = shown(vm.name);
  const state = vimCmd(input, 'power.getstate');
  const running = vm.power_state === 'on';
  const same: GuideCommand[] =
    vm.uuid === null
      ? []
      : [
          {
            kind: 'check',
            text: `${vimCmd(input, 'get.summary')} | grep -iF ${shellWord(`uuid = "${vm.uuid}"`)}`,
            wrong: `VM ${vm.id} of the host is not ${name} (uuid ${vm.uuid})`,
          },
        ];
  return {
    title: running ? `Shut ${name} down` : `See that ${name} is off`,
    why: running
      ? 'A running VM changes its disks while they are read, and the host keeps them locked. VMware Tools shut the guest ' +
        'down; without Tools do it inside the guest. From here on it stays off.'
      : 'A running VM changes its disks while they are read. From here on it stays off.',
    commands: [
      ...same,
      ...(running
        ? [
            {
              kind: 'run',
              text: `${state} | grep 'Powered off' ||\n  ${vimCmd(input, 'power.shutdown')}`,
            } satisfies GuideCommand,
            {
              kind: 'wait',
              text: state,
              what: `${name} to be off`,
              wanted: 'Powered off',
              failed: 'Suspended',
              seconds: SHUTDOWN_SECONDS,
            } satisfies GuideCommand,
          ]
        : []),
    ],
    check: { text: 'It is powered off (a suspended VM is not).', commands: [stillOff(input)] },
    undo: {
      text: running ? 'Start it again.' : 'Nothing was changed.',
      commands: running ? [{ text: vimCmd(input, 'power.on'), byHand: true }] : [],
    },
  };
}

/** Two machines with one identity and two sets of data: never. */
export function stillOff(input: GuideInput): GuideCommand {
  return {
    kind: 'check',
    text: `${vimCmd(input, 'power.getstate')} | grep 'Powered off'`,
    wrong: `${shown(input.vm.name)} is not off: shut it down first`,
  };
}

export function copyStep(input: GuideInput, disk: DiskFiles): GuideStep {
  const links = localLinks(disk);
  const folders = [...new Set(links.flatMap((link) => [link.local, ...link.extents.map(([, to]) => to)]))].map((path) =>
    posix.dirname(path),
  );
  const chain = links.length > 1;
  const commands: GuideCommand[] = [
    { kind: 'run', text: command('mkdir', '-p', ...new Set(folders)) },
    ...links.flatMap((link, index): GuideCommand[] => [
      copied(input, link.remote, link.local, index === 0 ? null : posixPath(link.local, links[index - 1]?.local ?? '')),
      ...link.extents.map(([remote, local]) => copied(input, remote, local, null)),
    ]),
  ];
  const proofs = links.flatMap((link) =>
    link.extents.length === 0 ? [[link.remote, link.local] as const] : link.extents,
  );
  return {
    title: `Copy disk ${disk.label}`,
    why:
      (chain
        ? `The disk is a chain of ${links.length} files' worth: a base and what was written since each snapshot. All of them are copied; qemu-img reads the newest as the whole disk. In the copies, each link is told where its base lies here. `
        : 'A disk is a small text file, which names its data files, and these. ') +
      `${sizeOf(disk)} A copy is as large as the disk, for holes are sent as zeros.`,
    commands,
    check: {
      text: 'What arrived is what lies on the host: both hash it, and the hashes are equal.',
      commands: proofs.map(([remote, local]) => ({
        kind: 'check',
        text: `test "$(${onHost(input, `sha256sum < ${shellWord(remote)}`)})" = "$(sha256sum < ${shellWord(local)})"`,
        wrong: `${shown(local)} is not what lies on the host: remove it and copy it again`,
      })),
    },
    undo: {
      text: 'Remove the copy.',
      commands: [{ text: command('rm', '-rf', diskFolder(disk.label)) }],
    },
  };
}

/** One file of the host. In a delta's descriptor the hint at its parent becomes `parent`. */
function copied(input: GuideInput, remote: string, local: string, parent: string | null): GuideCommand {
  const read = onHost(input, `cat ${shellWord(remote)}`);
  const hint = parent === null ? '' : ` |\n  sed ${shellWord(hintEdit(parent))}`;
  return { kind: 'file', path: local, text: (to) => `${read}${hint} > ${shellWord(to)}` };
}

/** VMDK keeps the parent's path in a line `parentFileNameHint="…"`, relative to the descriptor's folder or absolute. */
function hintEdit(parent: string): string {
  return `s|^parentFileNameHint=.*|parentFileNameHint="${parent.replace(/[\\&|]/g, '\\$&').replaceAll('\n', '\\n')}"|`;
}

function posixPath(from: string, to: string): string {
  return posix.relative(posix.dirname(from), to);
}

function sizeOf({ capacity_bytes, allocated_bytes }: DiskFiles): string {
  if (capacity_bytes === null) return '';
  const held = allocated_bytes === null ? '' : `, of which the datastore holds ${formatBytes(allocated_bytes)}`;
  return `Its size is ${formatBytes(capacity_bytes)}${held}.`;
}

export function convertStep(disk: DiskFiles, format: 'raw' | 'qcow2'): GuideStep {
  const source = localDisk(disk);
  const image = imageFileOf(disk.label, format);
  const chain = disk.links.length > 1;
  const size: GuideCommand[] =
    disk.capacity_bytes === null
      ? []
      : [
          {
            kind: 'check',
            text: `qemu-img info --output=json ${image} | grep -w ${shellWord(`"virtual-size": ${disk.capacity_bytes}`)}`,
            wrong: `${image} has another size than the disk (${disk.capacity_bytes} bytes)`,
          },
        ];
  const whole: GuideCommand[] = chain
    ? [
        {
          kind: 'check',
          text: `test "$(qemu-img info --backing-chain -f vmdk ${shellWord(source)} | grep -c '^image: ')" = ${disk.links.length}`,
          wrong: `the chain of ${disk.label} is not whole: ${disk.links.length} links belong to it`,
        },
      ]
    : [];
  return {
    title: `Convert disk ${disk.label} to ${format}`,
    why:
      format === 'raw'
        ? 'Raw is the disk byte for byte.'
        : 'The disk holds much less than its size; in qcow2 the holes are not sent.',
    commands: [
      ...whole,
      {
        kind: 'file',
        path: image,
        text: (to) => command('qemu-img', 'convert', '-f', 'vmdk', '-O', format, source, to),
      },
    ],
    check: {
      text:
        size.length === 0
          ? 'It prints "Images are identical."'
          : 'It prints "Images are identical.", and the size is that of the disk.',
      commands: [
        {
          kind: 'check',
          text: command('qemu-img', 'compare', '-f', 'vmdk', '-F', format, source, image),
          wrong: `${image} does not hold what the copy of ${disk.label} holds`,
        },
        ...size,
      ],
    },
    undo: { text: 'Remove it.', commands: [{ text: command('rm', '-f', image) }] },
  };
}
