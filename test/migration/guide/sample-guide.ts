import type { GuideInput, GuideServer } from '../../../src/migration/guide/index.js';

export const GIB = 1024 ** 3;
export const UUID = '564d1b2c-0000-4000-8000-00000000000c';
export const PROJECT = 'c0ffee00c0ffee00c0ffee00c0ffee00';

type Changes = Partial<Omit<GuideInput, 'server'>> & { server?: Partial<GuideServer> | null };

/** One disk, one NIC, Linux, off: what most VMs are. */
export function guideInput({ server, ...given }: Changes = {}): GuideInput {
  return {
    origin: 'Made by stackferry 0.0.0. Nothing was changed to make it.',
    vm: {
      id: '12',
      name: 'web01',
      uuid: UUID,
      power_state: 'off',
      firmware: 'bios',
      secure_boot: false,
      vtpm: false,
      guest_id: 'debian11_64Guest',
    },
    host: { host: 'esx1', port: 22, user: 'root', fingerprint: 'SHA256:abc' },
    cloud: {
      name: 'scs',
      project_id: PROJECT,
      project_name: 'acme',
      variables: [['OS_CLOUD', 'scs']],
      compute: '2.93',
    },
    disks: [disk('scsi0:0', 'web01/web01')],
    skipped: [],
    images: [image('scsi0:0')],
    volumes: [volume('scsi0:0')],
    ports: [port('ethernet0')],
    waitFor: 'console',
    via: 'glance',
    findings: [],
    blockers: [],
    ...given,
    server:
      server === null
        ? null
        : {
            name: 'web01',
            hostname: 'web01',
            flavor: 'SCS-2V-4',
            zone: null,
            key_name: null,
            config_drive: false,
            start: true,
            metadata: { stackferry_vm: 'web01' },
            tags: [],
            create_flavor: null,
            ...server,
          },
  };
}

export function disk(
  label: string,
  path: string,
  more: Partial<GuideInput['disks'][number]> = {},
): GuideInput['disks'][number] {
  const stem = `/vmfs/volumes/datastore1/${path}`;
  return {
    label,
    capacity_bytes: 40 * GIB,
    allocated_bytes: 3 * GIB,
    links: [{ descriptor: `${stem}.vmdk`, extents: [`${stem}-flat.vmdk`] }],
    ...more,
  };
}

export function image(label: string, more: Partial<GuideInput['images'][number]> = {}): GuideInput['images'][number] {
  return {
    label,
    name: `web01-${label}`,
    format: 'qcow2',
    min_disk_gib: 40,
    properties: { hw_disk_bus: 'scsi', image_description: 'web01 from esx1' },
    ...more,
  };
}

export function volume(
  label: string,
  more: Partial<GuideInput['volumes'][number]> = {},
): GuideInput['volumes'][number] {
  return { label, name: `web01-${label}`, size_gib: 40, type: null, zone: null, boot: label === 'scsi0:0', ...more };
}

export function port(label: string, more: Partial<GuideInput['ports'][number]> = {}): GuideInput['ports'][number] {
  return {
    label,
    name: `web01-${label}`,
    network: 'prod',
    addresses: null,
    mac: '00:0c:29:4f:11:22',
    mac_required: false,
    security_groups: ['web'],
    ...more,
  };
}
