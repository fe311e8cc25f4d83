import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CPU, MEMORY, SCSI, STREAM_OPTIMIZED, diskItem, item, ovf, virtualSystem } from '../convert/ovf/texts.js';
import { tar } from '../convert/package/tar-files.js';
import { patterned, writeStreamOptimized } from './vmdk-files.js';

/** Packages of files for whole runs of `import`. */

const MIB = 1024 ** 2;

/** A disk with a boot sector, some data, a hole and data at its end. */
export function bootDisk(seed: string, mebibytes = 8): Buffer {
  const disk = Buffer.alloc(mebibytes * MIB);
  patterned(2 * MIB, seed).copy(disk);
  patterned(MIB, `${seed} end`).copy(disk, disk.length - MIB);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

export const NIC = item({
  InstanceID: 50,
  ResourceType: 10,
  ResourceSubType: 'VmxNet3',
  Connection: 'VM Network',
  AutomaticAllocation: 'true',
});

/** A descriptor of VMs that have one disk each, of these sizes. */
export function descriptorOf(vms: readonly { name: string; file: string; mebibytes: number }[]): string {
  const systems = vms.map(({ name }, index) =>
    virtualSystem(name, { hardware: `${CPU}${MEMORY}${SCSI}${diskItem(0, `disk${index}`)}${NIC}` }),
  );
  const [only = '', ...more] = systems;
  const content =
    more.length === 0
      ? only
      : `<VirtualSystemCollection ovf:id="vapp"><Info>VMs</Info>${systems.join('')}</VirtualSystemCollection>`;
  return ovf({
    files: vms.map(({ file }, index) => `<File ovf:href="${file}" ovf:id="file${index}"/>`).join(''),
    disks: vms
      .map(
        ({ mebibytes }, index) =>
          `<Disk ovf:capacity="${mebibytes}" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="disk${index}" ovf:fileRef="file${index}" ovf:format="${STREAM_OPTIMIZED}"/>`,
      )
      .join(''),
    networks: '<NetworkSection><Info>Networks</Info><Network ovf:name="VM Network"/></NetworkSection>',
    content,
  });
}

/** A stream-optimized VMDK of a disk. */
export async function streamOptimized(folder: string, disk: Buffer): Promise<Buffer> {
  const path = join(folder, 'packing.tmp');
  await writeStreamOptimized(path, disk);
  const bytes = await readFile(path);
  await rm(path);
  return bytes;
}

export function manifestOf(files: Readonly<Record<string, Buffer | string>>): string {
  return Object.entries(files)
    .map(([name, bytes]) => `SHA256(${name})= ${createHash('sha256').update(bytes).digest('hex')}\n`)
    .join('');
}

/** An OVA of one VM with a manifest; one that is wrong is of another file than the disk's. */
export async function ovaOf(folder: string, name: string, disk: Buffer, isManifestWrong = false): Promise<Buffer> {
  await mkdir(folder, { recursive: true });
  const text = descriptorOf([{ name, file: `${name}.vmdk`, mebibytes: disk.length / MIB }]);
  const file = await streamOptimized(folder, disk);
  const digested = isManifestWrong ? Buffer.from('another file') : file;
  const manifest = manifestOf({ [`${name}.ovf`]: text, [`${name}.vmdk`]: digested });
  return tar([
    { name: `${name}.ovf`, content: text },
    { name: `${name}.mf`, content: manifest },
    { name: `${name}.vmdk`, content: file },
  ]);
}

export async function writeOva(folder: string, name: string, disk: Buffer): Promise<string> {
  const path = join(folder, `${name}.ova`);
  await writeFile(path, await ovaOf(folder, name, disk));
  return path;
}

/** The .vmx of a VM with one disk `NAME.vmdk` and one NIC. */
export function vmxOf(name: string, diskFile = `${name}.vmdk`): string {
  const settings = {
    'config.version': '8',
    'virtualHW.version': '19',
    displayName: name,
    guestOS: 'ubuntu-64',
    'uuid.bios': '56 4d 11 22 33 44 55 66-77 88 99 aa bb cc dd ee',
    numvcpus: '2',
    memSize: '512',
    'scsi0.present': 'TRUE',
    'scsi0.virtualDev': 'pvscsi',
    'scsi0:0.present': 'TRUE',
    'scsi0:0.fileName': diskFile,
    'ethernet0.present': 'TRUE',
    'ethernet0.virtualDev': 'vmxnet3',
    'ethernet0.networkName': 'VM Network',
    'ethernet0.addressType': 'generated',
    'ethernet0.generatedAddress': '00:0c:29:01:02:03',
  };
  return `.encoding = "UTF-8"\n${Object.entries(settings)
    .map(([key, value]) => `${key} = "${value}"\n`)
    .join('')}`;
}
