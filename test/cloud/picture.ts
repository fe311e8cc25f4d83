import type { Bench, VmResult } from './bench.js';
import { contentHash } from './bench.js';
import { volumeFile } from '../support/real-cloud.js';

/** Fields that tell when or where something was made, not what it is. */
const MOMENTARY = new Set([
  'created',
  'created_at',
  'updated',
  'updated_at',
  'attached_at',
  'attachment_id',
  'OS-SRV-USG:launched_at',
  'image_build_date',
  'revision_number',
  // Neutron chooses the addresses, and says which host a port was bound on last.
  'addresses',
  'fixed_ips',
  'hostId',
]);

/**
 * What a run has made, as the cloud shows it, with the ids replaced by what they stand for: two runs that did the same
 * have equal pictures.
 */
export async function pictureOf(bench: Bench, vm: VmResult & { run: string }): Promise<unknown> {
  const { cloud } = bench;
  const rows = {
    server: await cloud.show('server', vm.server_id ?? ''),
    volumes: await Promise.all(vm.volumes.map(({ volume_id }) => cloud.show('volume', volume_id))),
    ports: await Promise.all(vm.ports.map(({ port_id }) => cloud.show('port', port_id))),
    images: await Promise.all(vm.image_ids.map((id) => cloud.show('image', id))),
    bytes: await Promise.all(
      vm.volumes.map(({ volume_id, capacity_bytes }) => contentHash(volumeFile(volume_id), capacity_bytes)),
    ),
  };
  let text = JSON.stringify(rows, (key, value: unknown) => (MOMENTARY.has(key) ? undefined : value));
  const names: [string | null, string][] = [
    [vm.run, 'RUN'],
    [vm.server_id, 'SERVER'],
    ...vm.volumes.map(({ label, volume_id }): [string, string] => [volume_id, `VOLUME ${label}`]),
    ...vm.ports.map(({ label, port_id }): [string, string] => [port_id, `PORT ${label}`]),
    ...vm.image_ids.map((id, index): [string, string] => [id, `IMAGE ${index}`]),
  ];
  for (const [id, name] of names) if (id !== null) text = text.replaceAll(id, name);
  return JSON.parse(text) as unknown;
}
