import { GIB } from '../../core/index.js';
import type { PlannedVm } from '../plan/document/index.js';
import type { DiskFiles } from './disk-files.js';
import { localDisk, shown } from './names.js';
import type { GuideCommand, GuideStep } from './types.js';
import { command, openstack, option, variable, type Word } from './words.js';

type Image = PlannedVm['images'][number];
type Volume = PlannedVm['volumes'][number];

/** How long a volume may take to be made, a device to appear, a volume to be free again: what `migrate` waits, too. */
const VOLUME_SECONDS = 7200;
const DEVICE_SECONDS = 120;
const FREE_SECONDS = 300;

/** `images`: of the same VM, for a volume is made of the image of its label; null: a blank one is. */
export function volumeStep(volume: Volume, index: number, images: readonly Image[] | null): GuideStep {
  const image = images?.findIndex(({ label }) => label === volume.label) ?? null;
  const id = `VOLUME${index}`;
  const bootable = String(volume.boot);
  return {
    title: `Make the volume of ${volume.label}`,
    why: `${volume.size_gib} GiB: sizes are whole GiB, rounded up. ${image === null ? 'It is blank.' : volume.boot ? 'The server boots from it.' : 'Cinder takes every volume of an image for bootable; only the boot disk shall be.'}`,
    commands: [
      {
        kind: 'make',
        variable: id,
        text: openstack(['volume', 'create'], volume.name, [
          ...(image === null ? [] : ['--image', variable(`IMAGE${image}`)]),
          ...['--size', String(volume.size_gib)],
          ...(volume.type === null ? [] : option('--type', volume.type)),
          ...(volume.zone === null ? [] : option('--availability-zone', volume.zone)),
          ...['-f', 'value', '-c', 'id'],
        ]),
      },
      {
        kind: 'wait',
        text: `openstack volume show "$${id}" -f value -c status`,
        what: `volume ${shown(volume.name)} to be available`,
        wanted: '^(available|in-use)$', // the latter when the script is run again: the server has it
        failed: '^error',
        seconds: VOLUME_SECONDS,
      },
      ...(image === null
        ? []
        : [
            {
              kind: 'run',
              text: `openstack volume set ${volume.boot ? '--bootable' : '--non-bootable'} "$${id}"`,
            } satisfies GuideCommand,
          ]),
    ],
    check:
      image === null
        ? sizeCheck(volume, id)
        : {
            text: `It is ${volume.boot ? '' : 'not '}bootable, and carries the properties of the image (volume_image_metadata).`,
            commands: [
              {
                kind: 'check',
                text: `test "$(openstack volume show "$${id}" -f value -c bootable)" = ${bootable}`,
                wrong: `volume ${shown(volume.name)} should have bootable=${bootable}`,
              },
              {
                kind: 'run',
                text: `openstack volume show "$${id}" -f value -c size -c type -c volume_image_metadata`,
                page: true,
              },
            ],
          },
    undo: {
      text: 'Delete the volume, and wait until it is gone: an image may not go before it.',
      commands: [
        { variable: id, text: `openstack volume delete "$${id}"` },
        {
          variable: id,
          text: `while openstack volume show "$${id}" -f value -c status 2>/dev/null | grep deleting; do sleep 2; done`,
        },
      ],
    },
  };
}

function sizeCheck(volume: Volume, id: string): GuideStep['check'] {
  return {
    text: `It has ${volume.size_gib} GiB.`,
    commands: [
      {
        kind: 'check',
        text: `test "$(openstack volume show "$${id}" -f value -c size)" = ${volume.size_gib}`,
        wrong: `volume ${shown(volume.name)} has another size`,
      },
    ],
  };
}

/** The machine at which volumes are written to: this one, as the firmware names it (Nova's libvirt driver: its server's id). */
export function converterCommands(): { commands: GuideCommand[]; checks: GuideCommand[] } {
  const wrong = 'this machine is no server of the project: run this on one, or ask for a guide without --via cinder';
  return {
    commands: [{ kind: 'make', variable: 'CONVERTER', text: 'tr A-Z a-z < /sys/class/dmi/id/product_uuid' }],
    checks: [
      { kind: 'check', text: 'test "$(id -u)" = 0', wrong: 'writing to a volume needs root' },
      { kind: 'check', text: `openstack server show "$CONVERTER" -f value -c status | grep -x ACTIVE`, wrong },
    ],
  };
}

/** The disk onto its blank volume: attached to this machine, written, compared, detached, and given what an image gives. */
export function dataStep(volume: Volume, index: number, disk: DiskFiles, image: Image | undefined): GuideStep {
  const id = `VOLUME${index}`;
  const device = `DEVICE${index}`;
  const written = `WRITTEN${index}`;
  const source = localDisk(disk);
  const bytes = volume.size_gib * GIB;
  const status = `openstack volume show "$${id}" -f value -c status`;
  // The disk's serial is the volume's id, which virtio and older SCSI cut off at 20 characters; never a name as /dev/vdb.
  const links = `find /dev/disk/by-id -name "*$(printf %.20s "$${id}")*" ! -name '*-part*'`;
  const commands: GuideCommand[] = [
    {
      kind: 'run',
      text: `${status} | grep -x in-use ||\n  openstack server add volume "$CONVERTER" "$${id}"`,
    },
    {
      kind: 'wait',
      text: links,
      what: `volume ${shown(volume.name)} to appear as a disk of this machine`,
      wanted: '^/dev/disk/by-id/',
      failed: null,
      seconds: DEVICE_SECONDS,
    },
    { kind: 'ask', variable: device, text: `${links} -exec readlink -f {} + | sort -u` },
    {
      kind: 'check',
      text: `test "$(blockdev --getsize64 "$${device}")" = ${bytes}`,
      wrong: `what says that it is volume ${shown(volume.name)} is not one disk of ${bytes} bytes; nothing was written`,
    },
    { kind: 'run', text: command('qemu-img', 'convert', '-n', '-f', 'vmdk', '-O', 'raw', source, variable(device)) },
    ...tailOf(disk.capacity_bytes, bytes, device),
    { kind: 'run', text: `blockdev --flushbufs "$${device}"` },
    {
      kind: 'check',
      text: command('qemu-img', 'compare', '-f', 'vmdk', '-F', 'raw', source, variable(device)),
      wrong: `volume ${shown(volume.name)} does not hold what the copy of ${disk.label} holds`,
    },
    { kind: 'run', text: `openstack server remove volume "$CONVERTER" "$${id}"` },
    {
      kind: 'wait',
      text: status,
      what: `volume ${shown(volume.name)} to be free again`,
      wanted: '^available$',
      failed: '^error',
      seconds: FREE_SECONDS,
    },
    { kind: 'run', text: setVolume(volume, image, id) },
    { kind: 'note', variable: written },
  ];
  const bootable = String(volume.boot);
  return {
    title: `Write ${disk.label} to its volume`,
    why:
      'Nova attaches the volume to this machine; its disk is found by its serial, which is the id of the volume. ' +
      'qemu-img writes the disk and reads it back. Then the volume is taken from here, and gets what a volume of an image has: the properties, and whether a server boots from it.',
    commands: commands.map((one): GuideCommand => (one.kind === 'note' ? one : { ...one, unless: written })),
    check: {
      text: `"Images are identical." was printed; the volume is free, and ${volume.boot ? '' : 'not '}bootable.`,
      commands: [
        {
          kind: 'check',
          text: `test "$(openstack volume show "$${id}" -f value -c bootable)" = ${bootable}`,
          wrong: `volume ${shown(volume.name)} should have bootable=${bootable}`,
        },
        { kind: 'run', text: `openstack volume show "$${id}" -f value -c status -c volume_image_metadata`, page: true },
      ],
    },
    undo: {
      text: 'Take the volume from this machine, where it still is.',
      commands: [
        { text: `openstack server remove volume "\${CONVERTER:-}" "\${${id}:-}" 2>/dev/null || true` },
        {
          text: `while openstack volume show "\${${id}:-}" -f value -c status 2>/dev/null | grep detaching; do sleep 2; done`,
        },
      ],
    },
  };
}

/** What the volume has beyond the disk, for its size is whole GiB: zeros, as a blank volume need not have. */
function tailOf(capacity: number | null, bytes: number, device: string): GuideCommand[] {
  if (capacity === null || capacity >= bytes) return [];
  const words = ['blkdiscard', '-z', '-o', String(capacity), '-l', String(bytes - capacity), variable(device)];
  return [{ kind: 'run', text: command(...words) }];
}

function setVolume(volume: Volume, image: Image | undefined, id: string): string {
  const properties: Word[] =
    image === undefined
      ? []
      : Object.entries({ ...image.properties, min_disk: String(image.min_disk_gib) }).flatMap(([key, value]) =>
          option('--image-property', `${key}=${value}`),
        );
  return command(
    'openstack',
    'volume',
    'set',
    ...properties,
    volume.boot ? '--bootable' : '--non-bootable',
    variable(id),
  );
}
