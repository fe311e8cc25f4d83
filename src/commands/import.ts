import { resolve } from 'node:path';
import { z } from 'zod';
import { Option, type Command } from 'commander';
import { UsageError } from '../core/index.js';
import type { BareHardware, PackageAddress } from '../migration/import/address.js';
import type { App } from './app.js';
import { globalSchema } from './options/global.js';
import { addMappingOptions, mappingSchema, readMapping } from './options/mapping.js';
import { addFormat, collect, formatSchema, read, wholeNumber } from './options/parse.js';
import { addTimeoutOptions, readSettings, settingsSchema } from './options/run.js';
import { addTargetOptions, targetSchema } from './options/target.js';

const schema = z.object({
  ...globalSchema.shape,
  ...formatSchema.shape,
  ...targetSchema.shape,
  ...mappingSchema.shape,
  ...settingsSchema.shape,
  vm: z.array(z.string()).optional(),
  skipDisk: z.array(z.string()).optional(),
  raw: z.boolean().default(false),
  cpus: z.number().optional(),
  memory: z.number().optional(),
  firmware: z.enum(['bios', 'efi']).optional(),
  guestId: z.string().optional(),
  nics: z.number().optional(),
  cacert: z.string().optional(),
  accept: z.array(z.string()).optional(),
  again: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

/** As ESXi has it ("Configuration Maximums"). */
const MOST_CPUS = 768;
const MOST_NICS = 10;

export function register(program: Command, app: App): void {
  const command = program
    .command('import')
    .summary('make servers of files: OVA, OVF, .vmx, disks')
    .description(
      'Moves VMs out of files to OpenStack, without any ESXi host: an OVA, the descriptor of an OVF, a .vmx beside its ' +
        'disks, or bare disks (VMDK, qcow2, VHD, VHDX, VDI, raw, gzip), the first of which boots. They are read in ' +
        'place. The same command goes on where it was stopped.',
    )
    .argument('<file...>', 'a path, an http(s) URL, or - for an OVA from stdin')
    .option('--vm <selector>', 'of several VMs only this one (repeatable): its name, a glob or id:N', collect)
    .option('--skip-disk <label>', 'leave a disk behind on purpose (repeatable)', collect)
    .option('--cacert <file>', 'authorities to trust for https URLs, PEM')
    .option('--accept <code[:subject]>', 'take a finding of check knowingly (repeatable); the run keeps it', collect)
    .option('--again', 'make another server though an earlier run has made one of this VM')
    .option('--dry-run', 'resolve everything and print what would be done; changes nothing');
  command
    .optionsGroup('Bare disks:')
    .option('--raw', 'take a file of which nothing else is known for a raw disk')
    .option('--cpus <n>', 'processors of the VM', wholeNumber(1, MOST_CPUS))
    .option('--memory <mib>', 'its memory in MiB', wholeNumber(1))
    .addOption(new Option('--firmware <kind>', 'how it boots, bios if unset').choices(['bios', 'efi']))
    .option('--guest-id <word>', "its guest in vSphere's word: ubuntu64Guest, windows2019srv_64Guest")
    .option('--nics <n>', 'its NICs, 1 if unset: --nic ethernet0=NETWORK', wholeNumber(0, MOST_NICS));
  addFormat(command);
  addTargetOptions(command);
  addMappingOptions(command);
  addTimeoutOptions(command, ['image', 'volume', 'server', 'console']);
  command.addHelpText(
    'after',
    `
Examples:
  $ stackferry import web01.ova --os-cloud scs --network 'VM Network=prod'
  $ stackferry import vapp/vapp.ovf --vm 'web*' --network '*=prod' --dry-run
  $ stackferry import old.qcow2 --cpus 2 --memory 4096 --nic ethernet0=prod --yes
  $ ssh nas cat web01.ova | stackferry import - --network '*=prod' --yes
`,
  );
  command.action((given: string[]) => act(command, app, given));
}

async function act(command: Command, app: App, given: readonly string[]): Promise<void> {
  const options = read(command, schema);
  const [mapping, { STDIN, isUrl, withoutQuery }] = await Promise.all([
    readMapping(options, (name) => command.getOptionValueSource(name) === 'cli'),
    import('../migration/import/address.js'),
  ]);
  const isStdin = given.includes(STDIN);
  if (isStdin && given.length > 1) throw new UsageError('- (stdin) is an OVA, and no other file goes with it.');
  const files: PackageAddress = {
    given: given.map((one) => (one === STDIN ? one : isUrl(one) ? withoutQuery(one) : resolve(app.cwd, one))),
    raw: options.raw,
    cacert: options.cacert === undefined ? null : resolve(app.cwd, options.cacert),
    hardware: hardwareOf(options),
  };
  const urls = new Map(given.filter(isUrl).map((url) => [withoutQuery(url), url]));
  const [{ withTools }, { dryRunEach, tellEnds }, { importRequests, importVms }] = await Promise.all([
    import('./tools.js'),
    import('./several-vms.js'),
    import('../migration/import/import-vms.js'),
  ]);
  await withTools(app, options, async (tools) => {
    const { terminal, ctx } = tools;
    const from = { urls, stdin: isStdin ? app.stdin() : null };
    const host = await tools.files(files, from);
    const session = tools.session('import', readSettings(options), options);
    const base = { ...session, doors: { host: () => Promise.resolve(host), cloud: session.doors.cloud } };
    const request = {
      files,
      only: options.vm ?? [],
      options: mapping,
      confirm: terminal.interactive && !options.yes,
      again: options.again,
      ...(options.accept === undefined ? {} : { accept: options.accept }),
      ...(options.skipDisk === undefined ? {} : { skipDisks: options.skipDisk }),
    };
    const output = { app, terminal, format: options.format };
    if (options.dryRun) {
      await dryRunEach(output, base, await importRequests(host, request));
      return;
    }
    const start = ctx.clock.now();
    const ends = await importVms(base, host, request);
    await tellEnds(output, ends, ctx.clock.now() - start);
  });
}

/** Null where nothing of it was said. */
function hardwareOf(options: z.infer<typeof schema>): BareHardware | null {
  const { cpus, memory, firmware, guestId, nics } = options;
  if ([cpus, memory, firmware, guestId, nics].every((said) => said === undefined)) return null;
  return {
    cpus: cpus ?? null,
    memory_mib: memory ?? null,
    firmware: firmware ?? 'bios',
    guest_id: guestId ?? null,
    nics: nics ?? 1,
  };
}
