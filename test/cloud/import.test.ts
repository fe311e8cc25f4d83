import { execa } from 'execa';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CPU, MEMORY, SCSI, STREAM_OPTIMIZED, diskItem, ovf, virtualSystem } from '../convert/ovf/texts.js';
import { tar } from '../convert/package/tar-files.js';
import { NIC, manifestOf } from '../support/import-files.js';
import { volumeFile } from '../support/real-cloud.js';
import { tempFolders } from '../support/temp-folder.js';
import { PATIENCE, VM, cloudBench, contentHash, expectDone, resultOf, sourceDisk } from './bench.js';

const bench = cloudBench();
const temp = tempFolders();
const NAME = 'imported';

/** An OVA of the first disk of the lab's bootable VM, packed by qemu-img as exporters do. */
async function writeGuestOva(dir: string, raw: string): Promise<void> {
  const packed = join(dir, 'disk.vmdk');
  const how = ['-O', 'vmdk', '-o', 'subformat=streamOptimized'];
  await execa('qemu-img', ['convert', '-f', 'raw', ...how, raw, packed]);
  const { size } = await stat(raw);
  const text = ovf({
    files: '<File ovf:href="disk.vmdk" ovf:id="file0"/>',
    disks: `<Disk ovf:capacity="${size}" ovf:diskId="disk0" ovf:fileRef="file0" ovf:format="${STREAM_OPTIMIZED}"/>`,
    content: virtualSystem(NAME, { hardware: `${CPU}${MEMORY}${SCSI}${diskItem(0, 'disk0')}${NIC}` }),
  });
  const disk = await readFile(packed);
  const manifest = manifestOf({ 'x.ovf': text, 'disk.vmdk': disk });
  const members = [
    { name: 'x.ovf', content: text },
    { name: 'x.mf', content: manifest },
    { name: 'disk.vmdk', content: disk },
  ];
  await writeFile(join(dir, 'guest.ova'), tar(members));
}

test('an OVA of a guest that boots is imported, and its server boots from the same bytes', async () => {
  const raw = await sourceDisk(VM, 0);
  const dir = await temp();
  await writeGuestOva(dir, raw);
  const how = ['--network', 'VM Network=lab-net', '--flavor', 'lab.medium', ...PATIENCE, '--yes', '-f', 'json'];
  const command = ['import', join(dir, 'guest.ova'), ...how];
  const ended = await bench.run(command);
  expectDone(ended);
  const vm = resultOf(ended);
  expect(vm).toMatchObject({ vm: NAME, state: 'done', error: null });
  expect(ended.stderr).toContain('console: "lab-guest login:"');
  const { size } = await stat(raw);
  const [volume] = vm.volumes;
  expect(volume).toMatchObject({ label: 'scsi0:0', capacity_bytes: size, content_hash: await contentHash(raw, size) });
  expect(await contentHash(volumeFile(volume?.volume_id ?? ''), size)).toBe(volume?.content_hash);
  const server = await bench.cloud.show('server', vm.server_id ?? '');
  expect(server).toMatchObject({ name: NAME, status: 'ACTIVE', image: '' });

  const again = await bench.run(command);
  expectDone(again);
  expect(resultOf(again).server_id).toBe(vm.server_id);
  expect(again.stderr).toContain('nothing was made now');
});
