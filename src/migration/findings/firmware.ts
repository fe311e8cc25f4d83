import { finding, type FindingRule } from './finding.js';

/** What an EFI firmware remembers is in the VM's .nvram, which has no place in OpenStack. */
export const firmware: FindingRule = {
  codes: ['vm.efi', 'vm.secure_boot'],
  explains: {
    'vm.efi': {
      title: 'it boots by EFI',
      severity: 'warning',
      explains: 'What the firmware remembers, the boot entries, does not move.',
      remedy:
        '`hw_firmware_type=uefi` and `hw_machine_type=q35` are set on the image; the EFI partition needs `\\EFI\\BOOT\\BOOTX64.EFI`.',
    },
    'vm.secure_boot': {
      title: 'it boots with secure boot',
      severity: 'info',
      explains: 'Keys that were enrolled by hand (MOK) do not move.',
      remedy:
        '`os_secure_boot=optional` is set on the image; for more: `openstack image set --property os_secure_boot=required IMAGE`.',
    },
  },
  find: (vm) => {
    if (vm.firmware !== 'efi') return [];
    const arm = vm.guest_id !== null && /arm/i.test(vm.guest_id);
    const [machine, loader] = arm ? ['virt', 'BOOTAA64.EFI'] : ['q35', 'BOOTX64.EFI'];
    const findings = [
      finding('vm.efi', 'warning', 'vm', {
        message: 'The VM boots by EFI; the boot entries in its NVRAM do not move.',
        remedy: `hw_firmware_type=uefi and hw_machine_type=${machine} are set on the image. The EFI system partition needs \\EFI\\BOOT\\${loader}: most systems have it, on Debian run before the move: grub-install --force-extra-removable`,
      }),
    ];
    if (vm.secure_boot === true) {
      findings.push(
        finding('vm.secure_boot', 'info', 'vm', {
          message: 'The VM boots with secure boot; keys that were enrolled by hand (MOK) do not move.',
          remedy:
            'os_secure_boot=optional is set on the image: the server uses secure boot where the cloud offers it. For "required": openstack image set --property os_secure_boot=required IMAGE',
        }),
      );
    }
    return findings;
  },
};
