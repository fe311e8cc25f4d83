import { describe, expect, it } from 'vitest';
import {
  guideOf,
  guidePage,
  guideScript,
  type GuideCommand,
  type GuideInput,
} from '../../../src/migration/guide/index.js';
import { GIB, disk, guideInput, image, port, volume } from './sample-guide.js';

/** What a person would paste, without folders and words around it. */
function commandsOf(input: GuideInput): string[] {
  const text = (command: GuideCommand) => {
    if (command.kind === 'note') return [];
    if (command.kind === 'file') return command.text(command.path);
    return command.kind === 'make' ? `${command.variable}=$(${command.text})` : command.text;
  };
  return guideOf(input)
    .filter((step) => !step.later)
    .flatMap((step) => [...step.commands, ...step.check.commands].filter(({ page }) => !page).flatMap(text));
}
const joined = (input: GuideInput) => commandsOf(input).join('\n');
const titles = (input: GuideInput) => guideOf(input).map(({ title, later }) => (later ? `(${title})` : title));

describe('a plain VM', () => {
  it('is told in these commands, and no others', () => {
    expect(commandsOf(guideInput())).toEqual([
      'ssh-keyscan esx1 2>/dev/null | ssh-keygen -lf - | grep -F SHA256:abc',
      'test "$(openstack token issue -f value -c project_id)" = c0ffee00c0ffee00c0ffee00c0ffee00',
      `ssh root@esx1 vim-cmd vmsvc/get.summary 12 | grep -iF 'uuid = "564d1b2c-0000-4000-8000-00000000000c"'`,
      "ssh root@esx1 vim-cmd vmsvc/power.getstate 12 | grep 'Powered off'",
      'mkdir -p scsi0-0',
      "ssh root@esx1 'cat /vmfs/volumes/datastore1/web01/web01.vmdk' > scsi0-0/web01.vmdk",
      "ssh root@esx1 'cat /vmfs/volumes/datastore1/web01/web01-flat.vmdk' > scsi0-0/web01-flat.vmdk",
      `test "$(ssh root@esx1 'sha256sum < /vmfs/volumes/datastore1/web01/web01-flat.vmdk')" = "$(sha256sum < scsi0-0/web01-flat.vmdk)"`,
      'qemu-img convert -f vmdk -O qcow2 scsi0-0/web01.vmdk scsi0-0.qcow2',
      'qemu-img compare -f vmdk -F qcow2 scsi0-0/web01.vmdk scsi0-0.qcow2',
      `qemu-img info --output=json scsi0-0.qcow2 | grep -w '"virtual-size": 42949672960'`,
      [
        'IMAGE0=$(openstack image create web01-scsi0:0 --private --disk-format qcow2 --container-format bare --min-disk 40 \\',
        "    --file scsi0-0.qcow2 --property hw_disk_bus=scsi --property 'image_description=web01 from esx1' -f value \\",
        '    -c id)',
      ].join('\n'),
      [
        'openstack image unset --property owner_specified.openstack.md5 --property owner_specified.openstack.sha256 \\',
        '    --property owner_specified.openstack.object "$IMAGE0" || true',
      ].join('\n'),
      `openstack image show "$IMAGE0" -f json | grep -F "$(sha512sum < scsi0-0.qcow2 | cut -d ' ' -f 1)"`,
      'test "$(openstack image show "$IMAGE0" -f value -c status)" = active',
      'VOLUME0=$(openstack volume create web01-scsi0:0 --image "$IMAGE0" --size 40 -f value -c id)',
      'openstack volume show "$VOLUME0" -f value -c status',
      'openstack volume set --bootable "$VOLUME0"',
      'test "$(openstack volume show "$VOLUME0" -f value -c bootable)" = true',
      [
        'PORT0=$(openstack port create web01-ethernet0 --network prod --mac-address 00:0c:29:4f:11:22 --security-group web \\',
        '    -f value -c id)',
      ].join('\n'),
      'test "$(openstack port show "$PORT0" -f value -c mac_address)" = 00:0c:29:4f:11:22',
      'openstack port show "$PORT0" -f value -c mac_address -c fixed_ips',
      "ssh root@esx1 vim-cmd vmsvc/power.getstate 12 | grep 'Powered off'",
      [
        'SERVER=$(openstack --os-compute-api-version 2.90 server create web01 --flavor SCS-2V-4 --volume "$VOLUME0" \\',
        '    --port "$PORT0" --hostname web01 --property stackferry_vm=web01 -f value -c id)',
      ].join('\n'),
      'openstack server show "$SERVER" -f value -c status',
      'openstack server show "$SERVER" -f value -c name -c status -c addresses',
      'openstack console log show "$SERVER"',
    ]);
  });

  it('has a check and an undo for every step, on the page as in the script', () => {
    const steps = guideOf(guideInput());
    expect(titles(guideInput())).toEqual([
      'Prepare this shell',
      'See that web01 is off',
      'Copy disk scsi0:0',
      'Convert disk scsi0:0 to qcow2',
      'Upload the image of scsi0:0',
      'Make the volume of scsi0:0',
      'Make the port of ethernet0',
      'Make the server web01',
      'See it boot',
      '(Inside the guest)',
      '(Clean up)',
    ]);
    expect(guidePage(guideInput()).match(/^\*\*check:\*\* \S/gm)).toHaveLength(steps.length);
    expect(guidePage(guideInput()).match(/^\*\*undo:\*\* \S/gm)).toHaveLength(steps.length);
    const script = guideScript(guideInput());
    expect(script.match(/^# check: \S/gm)).toHaveLength(steps.length);
    expect(script.match(/^# undo: \S/gm)).toHaveLength(steps.filter(({ later }) => !later).length);
  });

  it('is a page with code to paste and nothing to fill in', () => {
    const page = guidePage(guideInput());
    expect(page.slice(0, 400)).toMatch(
      /^# web01: from esx1 to scs, by hand\n\nMade by stackferry 0.0.0. Nothing was changed to make it.\n\n- VM web01 \(id 12\) of root@esx1; disks: scsi0:0 of 40 GiB.\n- Project acme: 1 volume\(s\) of 40 GiB.\n- Server web01, flavor SCS-2V-4; ethernet0 on prod.\n/,
    );
    expect(page).toContain('mkdir -p web01-12 && cd web01-12\n');
    expect(page).toContain('export OS_CLOUD=scs\n');
    expect(page).toContain(
      `until openstack volume show "$VOLUME0" -f value -c status | grep -E '^(available|in-use)$|^error'; do sleep 5; done\n`,
    );
    expect(page).toMatch(
      /## Take it all back\n[^`]*```sh\nopenstack server delete --wait "\$SERVER"\nopenstack port delete "\$PORT0"\n/,
    );
    expect(page).not.toMatch(/undefined|[^/]null|NaN|\[object/);
  });
});

describe('what a VM may have besides', () => {
  it('is shut down first where it runs', () => {
    const running = guideInput({ vm: { ...guideInput().vm, power_state: 'on' } });
    expect(titles(running)[1]).toBe('Shut web01 down');
    expect(joined(running)).toContain(
      "ssh root@esx1 vim-cmd vmsvc/power.getstate 12 | grep 'Powered off' ||\n  ssh root@esx1 vim-cmd vmsvc/power.shutdown 12\n",
    );
    expect(guideScript(running)).toContain(
      "wait_for 300 'web01 to be off' 'Powered off' Suspended \\\n  ssh root@esx1",
    );
    expect(guideScript(running)).toContain('# If you want that:\n#   ssh root@esx1 vim-cmd vmsvc/power.on 12\n');
  });

  it('is reached by another port and account', () => {
    const host = { host: 'fe80::1', port: 2222, user: "o'neil", fingerprint: null };
    const text = joined(guideInput({ host }));
    expect(text).toContain(`ssh -p 2222 "o'neil@fe80::1" vim-cmd vmsvc/power.getstate 12`);
    expect(text).not.toContain('ssh-keyscan');
    expect(guidePage(guideInput({ host }))).toContain('ssh-keyscan -p 2222 fe80::1 2>/dev/null | ssh-keygen -lf -\n');
  });

  it('has all links of a chain copied, each told where its base is, also one of another folder', () => {
    const links = [
      { descriptor: '/vmfs/volumes/gold/base/win.vmdk', extents: ['/vmfs/volumes/gold/base/win-flat.vmdk'] },
      { descriptor: '/vmfs/volumes/ds 1/größe/win.vmdk', extents: ['/vmfs/volumes/ds 1/größe/win-delta.vmdk'] },
      {
        descriptor: '/vmfs/volumes/ds 1/größe/win-000001.vmdk',
        extents: ['/vmfs/volumes/ds 1/größe/win-000001-delta.vmdk'],
      },
    ];
    const text = joined(guideInput({ disks: [disk('scsi0:0', 'x', { links })] }));
    expect(text).toContain('mkdir -p scsi0-0/base1 scsi0-0\n');
    expect(text).toContain("ssh root@esx1 'cat /vmfs/volumes/gold/base/win.vmdk' > scsi0-0/base1/win.vmdk\n");
    expect(text).toContain(
      `ssh root@esx1 "cat '/vmfs/volumes/ds 1/größe/win.vmdk'" |\n  sed 's|^parentFileNameHint=.*|parentFileNameHint="base1/win.vmdk"|' > scsi0-0/win.vmdk\n`,
    );
    expect(text).toContain(`sed 's|^parentFileNameHint=.*|parentFileNameHint="win.vmdk"|' > scsi0-0/win-000001.vmdk\n`);
    expect(text).toContain(
      `test "$(qemu-img info --backing-chain -f vmdk scsi0-0/win-000001.vmdk | grep -c '^image: ')" = 3\n`,
    );
    expect(text).toContain('qemu-img convert -f vmdk -O qcow2 scsi0-0/win-000001.vmdk scsi0-0.qcow2\n');
  });

  it('has several disks, in order, of which only the first boots, and some that stay behind', () => {
    const labels = ['scsi0:0', 'scsi0:1', 'sata0:2'];
    const input = guideInput({
      disks: labels.map((label, index) => disk(label, `web01/web01_${index}`, { capacity_bytes: (index + 1) * GIB })),
      images: labels.map((label) => image(label, { format: 'raw' })),
      volumes: labels.map((label) => volume(label, { type: label === 'sata0:2' ? 'slow hdd' : null, zone: 'az-1' })),
      skipped: ['scsi0:5'],
    });
    const text = joined(input);
    expect(text).toContain(
      'VOLUME2=$(openstack volume create web01-sata0:2 --image "$IMAGE2" --size 40 --type \'slow hdd\' --availability-zone az-1 \\\n    -f value -c id)',
    );
    expect(text.match(/openstack volume set \S+ "\$VOLUME\d"/g)).toEqual([
      'openstack volume set --bootable "$VOLUME0"',
      'openstack volume set --non-bootable "$VOLUME1"',
      'openstack volume set --non-bootable "$VOLUME2"',
    ]);
    const block = (id: string) =>
      `--block-device "uuid=$${id},source_type=volume,destination_type=volume,boot_index=-1,delete_on_termination=false"`;
    expect(text.replaceAll(' \\\n   ', '')).toContain(
      `--volume "$VOLUME0" ${block('VOLUME1')} ${block('VOLUME2')} --port "$PORT0"`,
    );
    expect(guidePage(input)).toContain('- Stays behind on purpose: scsi0:5.\n');
  });

  it('has NICs in order, with addresses of both families, groups, or none of these', () => {
    const input = guideInput({
      ports: [
        port('ethernet0', {
          mac: null,
          addresses: [{ subnet: 'v4 net', ip: '10.0.0.5' }, { subnet: 'v6' }, { ip: 'fd00::5' }],
          security_groups: [],
        }),
        port('ethernet1', { network: '-odd', security_groups: null, mac_required: true }),
      ],
    });
    const text = joined(input).replaceAll(' \\\n   ', '');
    expect(text).toContain(
      "PORT0=$(openstack port create web01-ethernet0 --network prod --fixed-ip 'subnet=v4 net,ip-address=10.0.0.5' --fixed-ip subnet=v6 --fixed-ip ip-address=fd00::5 --no-security-group -f value -c id)",
    );
    expect(text).toContain(
      'PORT1=$(openstack port create web01-ethernet1 --network=-odd --mac-address 00:0c:29:4f:11:22 -f value -c id)',
    );
    expect(text).toContain('--port "$PORT0" --port "$PORT1"');
  });

  it('has no NIC at all', () => {
    expect(joined(guideInput({ ports: [] })).replaceAll(' \\\n   ', '')).toContain('--volume "$VOLUME0" --nic none');
  });

  it('has a key pair, a zone, a config drive, tags and a flavor that is yet to be made', () => {
    const input = guideInput({
      server: {
        key_name: 'my key',
        zone: 'nova:x',
        config_drive: true,
        tags: ['blue', '-red'],
        flavor: 'stackferry-3-1234',
        create_flavor: { vcpus: 3, ram_mib: 1234 },
      },
    });
    const text = joined(input).replaceAll(' \\\n   ', '');
    expect(text).toContain(
      "--key-name 'my key' --availability-zone nova:x --use-config-drive --property stackferry_vm=web01 --tag blue --tag=-red",
    );
    expect(text).toContain(
      'openstack flavor create stackferry-3-1234 --id stackferry-3-1234 --vcpus 3 --ram 1234 --disk 0 --private --project c0ffee00c0ffee00c0ffee00c0ffee00',
    );
  });

  it('says to an older Nova only what it knows', () => {
    const cloud = { ...(guideInput().cloud ?? { name: '', project_id: '', project_name: '', variables: [] }) };
    const at = (compute: string | null) =>
      joined(guideInput({ cloud: { ...cloud, compute }, server: { tags: ['t'] } }));
    expect(at('2.60')).toContain('openstack --os-compute-api-version 2.52 server create web01');
    expect(at('2.60')).not.toContain('--hostname');
    expect(at('2.40')).toContain('--os-compute-api-version 2.37 ');
    expect(at('2.40')).not.toContain('--tag');
    expect(at(null)).toContain('--os-compute-api-version 2.90 ');
  });

  it.each([
    ['active', null],
    ['ping', 'ping -c 1 -W 2 "$ADDRESS"'],
    ['tcp:22', `timeout 3 bash -c ': < "/dev/tcp/$0/$1" && echo open' "$ADDRESS" 22`],
    ['console', 'openstack console log show "$SERVER"'],
  ])('is waited for as --wait-for %s says', (waitFor, line) => {
    const input = guideInput({ waitFor });
    expect(titles(input).includes('See it boot')).toBe(line !== null);
    if (line !== null) expect(commandsOf(input)).toContain(line);
  });

  it('ends before the server with --no-start, which is then told for later', () => {
    const input = guideInput({ server: { start: false } });
    expect(titles(input).slice(-4)).toEqual([
      '(Make the server web01)',
      '(See it boot)',
      '(Inside the guest)',
      '(Clean up)',
    ]);
    const script = guideScript(input);
    expect(script).toContain('#     SERVER=$(openstack');
    expect(script).not.toMatch(/^ *SERVER=/m);
  });

  it('boots by UEFI where the VM does', () => {
    const images = [image('scsi0:0', { properties: { hw_firmware_type: 'uefi', hw_machine_type: 'q35' } })];
    expect(joined(guideInput({ images }))).toContain('--property hw_firmware_type=uefi');
    expect(guidePage(guideInput({ images }))).toContain('The VM boots by UEFI, and so will the server.');
  });

  it('is told only as far as a run has come', () => {
    const input = guideInput({ cloud: null, images: [], volumes: [], ports: [], server: null });
    expect(titles(input)).toEqual(['Prepare this shell', 'See that web01 is off', 'Copy disk scsi0:0']);
    expect(joined(input)).not.toContain('openstack');
  });

  it('has findings, of which the guide tells those that it does not take care of', () => {
    const finding = (code: string, severity: 'blocker' | 'warning' | 'info') => ({
      code,
      severity,
      subject: 'scsi0:0',
      message: `It is ${code}.`,
      remedy: 'Mend\nit.',
    });
    const input = guideInput({
      findings: [finding('vm.powered_on', 'blocker'), finding('disk.shared', 'warning'), finding('vm.efi', 'info')],
    });
    expect(guidePage(input)).toContain(
      'Before you begin:\n\n- warning scsi0:0: It is disk.shared. Mend it. (disk.shared)\n\n',
    );
    expect(guideScript(input)).toContain(
      '#\n# Before you begin: warning scsi0:0: It is disk.shared. Mend it. (disk.shared)\n',
    );
    expect(guidePage(input)).not.toMatch(/vm\.powered_on|vm\.efi|cannot work/);
  });

  it('says before all else that it cannot move', () => {
    const blocker = {
      code: 'disk.rdm_physical',
      severity: 'blocker' as const,
      subject: 'scsi0:1',
      message: 'It is a raw device.',
      remedy: 'Copy it inside the guest.',
    };
    const page = guidePage(guideInput({ findings: [blocker], blockers: [blocker] }));
    const told = '- scsi0:1: It is a raw device. Copy it inside the guest. (disk.rdm_physical)';
    expect(page.indexOf(told)).toBeGreaterThan(page.indexOf('**This cannot work as the VM is now**'));
    expect(page.indexOf(told)).toBeLessThan(page.indexOf('\n## 1.'));
    expect(page).not.toContain('Before you begin');
  });
});

it('lets no name become markup or a command', () => {
  const name = '<script>`x`*b* [l](u)\n$(reboot)\u202e';
  const input = guideInput({ vm: { ...guideInput().vm, name } });
  const page = guidePage(input);
  const outside = page.replace(/^(`{3,})sh\n[^]*?\n\1$/gm, '');
  expect(outside).toContain('\\<script>\\`x\\`\\*b\\* \\[l\\](u) $(reboot)');
  expect(outside).not.toMatch(/[^\\]<script>|\u202e/);
  expect(guideScript(input).match(/^\$\(reboot\)/gm)).toBeNull();
});

describe('a VM whose disks go onto attached volumes', () => {
  const cinder = guideInput({
    via: 'cinder',
    disks: [disk('scsi0:0', 'web01/web01', { capacity_bytes: 40 * GIB - 512 })],
  });

  it('is told in steps that make no image', () => {
    expect(titles(cinder)).toEqual([
      'Prepare this shell',
      'See that web01 is off',
      'Copy disk scsi0:0',
      'Make the volume of scsi0:0',
      'Write scsi0:0 to its volume',
      'Make the port of ethernet0',
      'Make the server web01',
      'See it boot',
      '(Inside the guest)',
      '(Clean up)',
    ]);
    expect(joined(cinder)).not.toMatch(/openstack image|qcow2/);
    expect(guidePage(cinder)).not.toMatch(/openstack image/);
    expect(guidePage(cinder)).toContain('as root on a server of the project');
  });

  it('writes, compares, detaches, and sets what an image would have given, in these commands', () => {
    const commands = commandsOf(cinder);
    const from = commands.findIndex((text) => text.startsWith('VOLUME0='));
    const to = commands.findIndex((text) => text.startsWith('PORT0='));
    const links = `find /dev/disk/by-id -name "*$(printf %.20s "$VOLUME0")*" ! -name '*-part*'`;
    expect(commands.slice(from, to)).toEqual([
      'VOLUME0=$(openstack volume create web01-scsi0:0 --size 40 -f value -c id)',
      'openstack volume show "$VOLUME0" -f value -c status',
      'test "$(openstack volume show "$VOLUME0" -f value -c size)" = 40',
      'openstack volume show "$VOLUME0" -f value -c status | grep -x in-use ||\n  openstack server add volume "$CONVERTER" "$VOLUME0"',
      links,
      `${links} -exec readlink -f {} + | sort -u`,
      'test "$(blockdev --getsize64 "$DEVICE0")" = 42949672960',
      'qemu-img convert -n -f vmdk -O raw scsi0-0/web01.vmdk "$DEVICE0"',
      'blkdiscard -z -o 42949672448 -l 512 "$DEVICE0"',
      'blockdev --flushbufs "$DEVICE0"',
      'qemu-img compare -f vmdk -F raw scsi0-0/web01.vmdk "$DEVICE0"',
      'openstack server remove volume "$CONVERTER" "$VOLUME0"',
      'openstack volume show "$VOLUME0" -f value -c status',
      [
        "openstack volume set --image-property hw_disk_bus=scsi --image-property 'image_description=web01 from esx1' \\",
        '    --image-property min_disk=40 --bootable "$VOLUME0"',
      ].join('\n'),
      'test "$(openstack volume show "$VOLUME0" -f value -c bootable)" = true',
    ]);
  });
});
