import { hex, spacedUuid, type Disk, type Link } from './resolve.js';

// Forms as in the recordings descriptor.{vmfs-thin,vmfsSparse,seSparse,rdm-physical}: base descriptors carry the
// geometry and the uuid, deltas hardly anything; seSparse ones lack `encoding` in the head.
const ADAPTER: Record<Disk['controller'], string> = {
  pvscsi: 'lsilogic', // what vmkfstools writes for every SCSI controller but BusLogic
  lsilogic: 'lsilogic',
  lsisas1068: 'lsilogic',
  buslogic: 'buslogic',
  ahci: 'lsilogic',
  nvme: 'lsilogic',
  ide: 'ide',
};

/** The text of one link's descriptor. */
export function descriptorText(disk: Disk, link: Link, parent: Link | undefined, hardwareVersion: number): string {
  const sectors = disk.sizeBytes / 512;
  const [heads, perTrack] = disk.controller === 'ide' ? [16, 63] : [255, 63];
  const longContentId = `${hex(24, 'long', disk.uuid)}${link.cid}`;
  if (parent !== undefined) {
    const delta = link.format === 'seSparse' ? 'SESPARSE' : 'VMFSSPARSE';
    const head = [
      '# Disk DescriptorFile',
      'version=1',
      ...(link.format === 'seSparse' ? [] : ['encoding="UTF-8"']),
      `CID=${link.cid}`,
      `parentCID=${link.parentCid}`,
      ...(link.format === 'seSparse' ? [] : ['isNativeSnapshot="no"']),
      `createType="${link.format}"`,
      `parentFileNameHint="${parent.file}"`,
      '# Extent description',
      `RW ${sectors} ${delta} "${link.extent}"`,
      '',
      '# The Disk Data Base ',
      '#DDB',
      '',
    ];
    const base = link.format === 'seSparse' ? ['ddb.encoding = "UTF-8"', 'ddb.grain = "8"'] : [];
    return [...head, ...base, `ddb.longContentID = "${longContentId}"`, ''].join('\n');
  }
  const rdm = disk.spec.rdm;
  const [createType, extentType] =
    rdm === undefined
      ? ['vmfs', 'VMFS']
      : [rdm === 'physical' ? 'vmfsPassthroughRawDeviceMap' : 'vmfsRawDeviceMap', 'VMFSRDM'];
  return [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    `CID=${link.cid}`,
    `parentCID=${link.parentCid}`,
    ...(rdm === undefined ? ['isNativeSnapshot="no"'] : []),
    `createType="${createType}"`,
    '',
    '# Extent description',
    `RW ${sectors} ${extentType} "${link.extent}"`,
    '',
    '# The Disk Data Base ',
    '#DDB',
    '',
    `ddb.adapterType = "${ADAPTER[disk.controller]}"`,
    `ddb.geometry.cylinders = "${Math.max(1, Math.floor(sectors / (heads * perTrack)))}"`,
    `ddb.geometry.heads = "${heads}"`,
    `ddb.geometry.sectors = "${perTrack}"`,
    `ddb.longContentID = "${longContentId}"`,
    ...(disk.thin && rdm === undefined ? ['ddb.thinProvisioned = "1"'] : []),
    ...(rdm === undefined ? ['ddb.toolsVersion = "2147483647"'] : []),
    `ddb.uuid = "${spacedUuid(disk.uuid)}"`,
    `ddb.virtualHWVersion = "${hardwareVersion}"`,
    '',
  ].join('\n');
}
