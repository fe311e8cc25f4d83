import { expect, it } from 'vitest';
import { architectureOf, hardwareOf, resolveImages } from '../../../src/migration/plan/resolve-image.js';
import { disk, vm } from '../sample-vm.js';

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
