import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../../core/index.js';
import type { MappingOptions } from '../../migration/plan/options.js';
import { collect } from './parse.js';

/** Options of the image and volume steps. */
export function addImageOptions(command: Command): Command {
  return command
    .optionsGroup('Mapping:')
    .addOption(
      new Option('--image-format <format>', 'what is uploaded; auto: what was ready sooner, else the smaller').choices([
        'auto',
        'qcow2',
        'raw',
      ]),
    )
    .option('--name <name>', "the server's name, and the beginning of the volumes'; the VM's if unset");
}

export function addVolumeOptions(command: Command): Command {
  return command
    .option(
      '--volume-type <[datastore=]type>',
      "Cinder volume type, the cloud's default if unset; DATASTORE=TYPE (repeatable): of its disks",
      collect,
    )
    .option('--volume-zone <zone>', 'availability zone of the volumes; --zone where Cinder has one of that name');
}

export function addServerOptions(command: Command): Command {
  return command
    .option(
      '--network <src=dst>',
      'where a port group goes (repeatable): SRC a port group or glob, DST a network or subnet',
      collect,
    )
    .option('--nic <label=dst[,ip=addr][,mac=mac]>', 'where one NIC goes (repeatable); wins over --network', collect)
    .option('--no-keep-mac', 'let Neutron choose the MACs (they are kept where free)')
    .option('--keep-ip', 'give the ports the addresses that VMware Tools last reported')
    .option('--flavor <name>', 'Nova flavor; the smallest that fits if unset')
    .option('--create-flavor', 'make a flavor of the size of the VM where none has it exactly (administrators only)')
    .option('--zone <zone>', 'availability zone of the server')
    .option(
      '--security-group <name>',
      "security group of the ports (repeatable); the project's default if unset",
      collect,
    )
    .option('--key-name <name>', 'key pair')
    .option('--tag <tag>', 'tag of the server (repeatable)', collect)
    .option('--metadata <key=value>', 'metadata of the server (repeatable), beside where it comes from', collect)
    .option('--config-drive', 'attach a config drive')
    .option('--no-start', 'make the ports ready, but no server yet (Nova starts whatever it makes)')
    .option(
      '--wait-for <what>',
      'console (a login prompt), ping or tcp:PORT (its ports answer, seen from here), or active (no proof)',
    );
}

/** All mapping options, for the commands that do everything. */
export function addMappingOptions(command: Command): Command {
  addImageOptions(command);
  addVolumeOptions(command);
  addServerOptions(command);
  return command.addOption(
    new Option('--via <way>', 'through an image, or onto the attached volume').choices(['auto', 'glance', 'cinder']),
  );
}

export const mappingSchema = z.object({
  network: z.array(z.string()).optional(),
  nic: z.array(z.string()).optional(),
  keepMac: z.boolean().optional(),
  keepIp: z.boolean().optional(),
  flavor: z.string().optional(),
  createFlavor: z.boolean().optional(),
  volumeType: z.array(z.string()).optional(),
  zone: z.string().optional(),
  volumeZone: z.string().optional(),
  securityGroup: z.array(z.string()).optional(),
  keyName: z.string().optional(),
  tag: z.array(z.string()).optional(),
  metadata: z.array(z.string()).optional(),
  name: z.string().optional(),
  imageFormat: z.enum(['auto', 'qcow2', 'raw']).optional(),
  configDrive: z.boolean().optional(),
  start: z.boolean().optional(),
  waitFor: z.string().optional(),
  via: z.enum(['auto', 'glance', 'cinder']).optional(),
});

/**
 * The mapping options that were said on this command line. Options of the `--no-…` kind always have a value in
 * commander; `said` tells whether it came from the command line.
 */
export async function readMapping(
  options: z.infer<typeof mappingSchema>,
  said: (name: string) => boolean,
): Promise<Partial<MappingOptions>> {
  const [{ parseNetworkMapping, parseNicMapping, parseVolumeTypes, parseWaitFor }, { parseMetadata, parseTags }] =
    await Promise.all([import('../../migration/plan/options.js'), import('../../migration/plan/server-words.js')]);
  const mapping: Partial<MappingOptions> = {};
  if (options.network) mapping.networks = options.network.map(parseNetworkMapping);
  if (options.nic) mapping.nics = options.nic.map(parseNicMapping);
  if (options.keepMac !== undefined && said('keepMac')) mapping.keepMac = options.keepMac;
  if (options.keepIp !== undefined) mapping.keepIp = options.keepIp;
  if (options.flavor !== undefined) mapping.flavor = options.flavor;
  if (options.createFlavor !== undefined) mapping.createFlavor = options.createFlavor;
  if (options.volumeType) Object.assign(mapping, parseVolumeTypes(options.volumeType));
  if (options.zone !== undefined) mapping.zone = options.zone;
  if (options.volumeZone !== undefined) mapping.volumeZone = options.volumeZone;
  if (options.securityGroup) mapping.securityGroups = options.securityGroup;
  if (options.keyName !== undefined) mapping.keyName = options.keyName;
  if (options.tag) mapping.tags = parseTags(options.tag);
  if (options.metadata) mapping.metadata = parseMetadata(options.metadata);
  if (options.name !== undefined) mapping.name = givenName(options.name);
  if (options.imageFormat !== undefined) mapping.imageFormat = options.imageFormat;
  if (options.via !== undefined) mapping.via = options.via;
  if (options.configDrive !== undefined) mapping.configDrive = options.configDrive;
  if (options.start !== undefined && said('start')) mapping.start = options.start;
  if (options.waitFor !== undefined) mapping.waitFor = parseWaitFor(options.waitFor);
  return mapping;
}

/** A name that a person chose is taken as it is or refused; only a VM's own is made to fit. */
function givenName(name: string): string {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new UsageError('--name holds a line break or another control character.', 'Use letters, digits and blanks.');
  }
  if (name.length > 255) {
    throw new UsageError(`--name has ${name.length} characters.`, 'Nova and Cinder keep 255: shorten it.');
  }
  return name;
}
