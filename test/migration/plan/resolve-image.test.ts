import { describe, expect, it } from 'vitest';
import { architectureOf, chooseFormat, hardwareOf, resolveImages } from '../../../src/migration/plan/resolve-image.js';
import { disk, vm } from '../sample-vm.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe('the format of an image', () => {
  it.each([
    ['auto', 40 * GIB, 3 * GIB, 'qcow2', '3 GiB of 40 GiB hold data'],
    ['auto', 40 * GIB, 36 * GIB, 'raw', '36 GiB of 40 GiB hold data'],
    ['auto', 40 * GIB, 36 * GIB - 1, 'qcow2', '36 GiB of 40 GiB hold data'],
    ['auto', 40 * GIB, 41 * GIB, 'raw', '40 GiB of 40 GiB hold data'],
    ['auto', 40 * GIB, 0, 'qcow2', '0 B of 40 GiB hold data'],
    ['auto', 40 * GIB, null, 'qcow2', 'what the disk holds is not known; holes are not sent'],
    ['auto', 64 * MIB, 0, 'raw', 'small: 64 MiB'],
    ['auto', 64 * MIB + 512, 0, 'qcow2', '0 B of 64 MiB hold data'],
    ['raw', 40 * GIB, 0, 'raw', '--image-format raw'],
    ['qcow2', 1 * MIB, MIB, 'qcow2', '--image-format qcow2'],
  ] as const)('%s, %d bytes, %s held: %s', (wanted, capacity, held, format, reason) => {
    expect(chooseFormat(wanted, capacity, held)).toEqual({ format, reason });
  });
});

it('every disk gets an image of its own, with the hardware of the VM', () => {
  const source = vm({
    name: 'web 🚢',
    firmware: 'efi',
    disks: [disk(), disk({ label: 'scsi0:1', capacity_bytes: 1 })],
  });
  const images = resolveImages(source, source.disks, { imageFormat: 'auto' }, { host: 'esx1', now: new Date(0) });
  expect(images).toMatchObject([
    { name: 'web _-scsi0:0', label: 'scsi0:0', format: 'qcow2', min_disk_gib: 40 },
    { name: 'web _-scsi0:1', label: 'scsi0:1', format: 'raw', min_disk_gib: 1 },
  ]);
  expect(images[1]?.properties).toMatchObject({
    hw_firmware_type: 'uefi',
    image_description: 'web _ from esx1, disk scsi0:1',
    image_build_date: '1970-01-01 00:00:00',
  });
});

it('what the host does not say of the hardware is taken for the plain case', () => {
  const source = vm({ firmware: null, secure_boot: null, vtpm: null, cpus: null, guest_id: null });
  expect(hardwareOf(source)).toEqual({
    firmware: 'bios',
    secureBoot: false,
    vtpm: false,
    architecture: 'x86_64',
    guestId: null,
    vcpus: 1,
    coresPerSocket: 1,
  });
});

it.each([
  ['ubuntu64Guest', 'x86_64'],
  ['otherGuest', 'x86_64'],
  ['windows11_64Guest', 'x86_64'],
  ['arm-ubuntu-64', 'aarch64'],
  ['ubuntuArm64Guest', 'aarch64'],
  [null, 'x86_64'],
])('%s runs on %s', (guest, architecture) => expect(architectureOf(guest)).toBe(architecture));
