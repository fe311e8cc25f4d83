import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { guestOs, imageProperties, type GuestHardware } from '../../src/openstack/index.js';

const LINUX: GuestHardware = {
  firmware: 'bios',
  secureBoot: false,
  vtpm: false,
  architecture: 'x86_64',
  guestId: 'debian12_64Guest',
  vcpus: 2,
  coresPerSocket: 1,
};
const image = { description: 'web01 from esx1, disk scsi0:0', builtAt: new Date('2026-03-04T05:06:07.890Z') };

describe('image properties', () => {
  it('of a plain Linux guest are the hardware of the guide and what SCS asks for', () => {
    expect(imageProperties(LINUX, image)).toEqual({
      hw_disk_bus: 'scsi',
      hw_scsi_model: 'virtio-scsi',
      hw_vif_model: 'virtio',
      hw_rng_model: 'virtio',
      architecture: 'x86_64',
      os_type: 'linux',
      os_distro: 'debian',
      os_version: '12',
      os_purpose: 'custom',
      image_source: 'private',
      image_original_user: 'none',
      image_build_date: '2026-03-04 05:06:07',
      image_description: 'web01 from esx1, disk scsi0:0',
      replace_frequency: 'never',
      provided_until: 'none',
      uuid_validity: 'none',
    });
  });

  it.each<[string, Partial<GuestHardware>, Record<string, string>]>([
    ['UEFI', { firmware: 'efi' }, { hw_firmware_type: 'uefi', hw_machine_type: 'q35' }],
    ['secure boot', { firmware: 'efi', secureBoot: true }, { os_secure_boot: 'optional' }],
    ['a vTPM', { vtpm: true }, { hw_tpm_version: '2.0', hw_tpm_model: 'tpm-crb' }],
    [
      'ARM',
      { architecture: 'aarch64' },
      { architecture: 'aarch64', hw_firmware_type: 'uefi', hw_machine_type: 'virt' },
    ],
    ['32 bits', { architecture: 'i686' }, { architecture: 'x86_64' }],
    [
      'its own controller',
      { disk: { bus: 'scsi', scsiModel: 'vmpvscsi' } },
      { hw_disk_bus: 'scsi', hw_scsi_model: 'vmpvscsi' },
    ],
    ['its own card', { vifModel: 'vmxnet3' }, { hw_vif_model: 'vmxnet3' }],
    ['sockets', { vcpus: 8, coresPerSocket: 4 }, { hw_cpu_sockets: '2', hw_cpu_cores: '4', hw_cpu_threads: '1' }],
    ['an uneven topology', { vcpus: 6, coresPerSocket: 4 }, { hw_cpu_sockets: '2', hw_cpu_cores: '4' }],
    [
      'Windows',
      { guestId: 'windows2019srv_64Guest', vcpus: 8 },
      { os_type: 'windows', os_distro: 'windows', os_version: '2019', hw_cpu_sockets: '2' },
    ],
    [
      'Windows with an odd number',
      { guestId: 'windows11_64Guest', vcpus: 3 },
      { os_version: '11', hw_cpu_sockets: '1' },
    ],
    ['a known release', { guestId: 'ubuntu64Guest', osVersion: '22.04' }, { os_distro: 'ubuntu', os_version: '22.04' }],
  ])('with %s', (_what, hardware, expected) => {
    expect(imageProperties({ ...LINUX, ...hardware }, image)).toMatchObject(expected);
  });

  it('leave out what does not apply', () => {
    const sata = imageProperties({ ...LINUX, disk: { bus: 'sata' }, secureBoot: true, guestId: 'otherGuest' }, image);
    expect(sata['hw_disk_bus']).toBe('sata');
    for (const key of [
      'hw_scsi_model',
      'hw_firmware_type',
      'os_secure_boot',
      'os_type',
      'hw_rng_model',
      'hw_cpu_sockets',
    ]) {
      expect(sata).not.toHaveProperty(key);
    }
  });

  it('are never longer than Cinder keeps, and never empty', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 600, unit: 'grapheme' }),
        fc.string(),
        (description, guestId) => {
          for (const value of Object.values(imageProperties({ ...LINUX, guestId }, { ...image, description }))) {
            expect(Array.from(value).length).toBeLessThanOrEqual(255);
            expect(value).not.toBe('');
          }
        },
      ),
    );
  });
});

describe('guest ids', () => {
  it.each([
    ['ubuntu64Guest', 'linux', 'ubuntu', 'unknown'],
    ['ubuntuGuest', 'linux', 'ubuntu', 'unknown'],
    ['debian10_64Guest', 'linux', 'debian', '10'],
    ['debian4Guest', 'linux', 'debian', '4'],
    ['centos7_64Guest', 'linux', 'centos', '7'],
    ['centos64Guest', 'linux', 'centos', 'unknown'],
    ['rhel8_64Guest', 'linux', 'rhel', '8'],
    ['rhel9_64Guest', 'linux', 'rhel', '9'],
    ['rockylinux_64Guest', 'linux', 'rocky', 'unknown'],
    ['almalinux_64Guest', 'linux', 'almalinux', 'unknown'],
    ['oracleLinux8_64Guest', 'linux', 'ol', '8'],
    ['sles15_64Guest', 'linux', 'sles', '15'],
    ['opensuse64Guest', 'linux', 'opensuse', 'unknown'],
    ['amazonlinux2_64Guest', 'linux', 'amazon', '2'],
    ['vmwarePhoton64Guest', 'linux', 'photon', 'unknown'],
    ['other5xLinux64Guest', 'linux', 'linux', 'unknown'],
    ['freebsd13_64Guest', null, 'freebsd', '13'],
    ['freebsd64Guest', null, 'freebsd', 'unknown'],
    ['windows9_64Guest', 'windows', 'windows', '10'],
    ['windows9Guest', 'windows', 'windows', '10'],
    ['windows7_64Guest', 'windows', 'windows', '7'],
    ['windows11_64Guest', 'windows', 'windows', '11'],
    ['windows12_64Guest', 'windows', 'windows', '12'],
    ['windows7Server64Guest', 'windows', 'windows', '2008r2'],
    ['windows8Server64Guest', 'windows', 'windows', '2012'],
    ['windows9Server64Guest', 'windows', 'windows', '2016'],
    ['windows2019srv_64Guest', 'windows', 'windows', '2019'],
    ['windows2019srvNext_64Guest', 'windows', 'windows', '2022'],
    ['windows2022srvNext_64Guest', 'windows', 'windows', '2025'],
    ['winNetEnterprise64Guest', 'windows', 'windows', '2003'],
    ['winXPProGuest', 'windows', 'windows', 'xp'],
    ['win98Guest', 'windows', 'windows', 'unknown'],
    ['darwin19_64Guest', null, 'unknown', 'unknown'],
    ['otherGuest', null, 'unknown', 'unknown'],
    [null, null, 'unknown', 'unknown'],
  ])('%s', (id, type, distro, version) => {
    expect(guestOs(id)).toEqual({ type, distro, version });
  });
});
