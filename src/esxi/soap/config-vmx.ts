import { isObject, pick, pickArray, pickBoolean, pickString, type VimValue } from '../parse/vim-object.js';
import { Vmx } from '../parse/vmx.js';

/**
 * A VM's settings in the words of its .vmx, from `VirtualMachineConfigInfo`: what the API tells by fields of its own,
 * and `extraConfig`, which are the lines of the .vmx that it has no field for. Disks, NICs and other devices are not in
 * it: those stand in the device list.
 */
export function vmxOfConfig(config: VimValue): Vmx {
  const values = new Map<string, string>();
  for (const option of pickArray(config, 'extraConfig')) {
    const key = pickString(option, 'key');
    const value = pickString(option, 'value');
    if (key !== null && value !== null) values.set(key.toLowerCase(), value);
  }
  const set = (key: string, value: string | null) => {
    if (value !== null) values.set(key.toLowerCase(), value);
  };
  const flag = (key: string, ...path: string[]) => {
    const value = pickBoolean(config, ...path);
    set(key, value === null ? null : value ? 'TRUE' : 'FALSE');
  };
  set('virtualHW.version', /^vmx-0*(\d+)$/.exec(pickString(config, 'version') ?? '')?.[1] ?? null);
  set('firmware', pickString(config, 'firmware'));
  flag('uefi.secureBoot.enabled', 'bootOptions', 'efiSecureBootEnabled');
  flag('ctkEnabled', 'changeTrackingEnabled');
  flag('vcpu.hotadd', 'cpuHotAddEnabled');
  flag('mem.hotadd', 'memoryHotAddEnabled');
  flag('disk.EnableUUID', 'flags', 'diskUuidEnabled');
  // `normal` is what a VM has whose .vmx says nothing of it.
  const latency = pickString(config, 'latencySensitivity', 'level');
  if (latency !== 'normal') set('sched.cpu.latencySensitivity', latency);
  const key = pick(config, 'keyId');
  if (isObject(key)) set('encryption.bundle', pickString(key, 'keyId') ?? 'set');
  return new Vmx(values);
}
