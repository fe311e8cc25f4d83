import { type VimObject, type VimValue, isObject } from '../parse/vim-object.js';
import type { Element } from './xml.js';

/**
 * What an element says, in the form that `vim-cmd` prints the same data objects in: one reader for both doors. XML
 * does not tell numbers, flags and lists from texts, so those fields that are read as such are named here (vSphere API
 * reference; a name has the same type in every object that is read). A name of a VM stays text, whatever it looks like.
 */
const NUMBERS = new Set([
  'key',
  'busNumber',
  'controllerKey',
  'unitNumber',
  'numCPU',
  'numCoresPerSocket',
  'memoryMB',
  'capacityInKB',
  'capacityInBytes',
  'numCpu',
  'memorySizeMB',
  'deviceConfigId',
  'vlanId',
  'capacity',
  'freeSpace',
  'size',
  'fileKey',
  'majorVersion',
]);
const FLAGS = new Set([
  'connected',
  'startConnected',
  'useAutoDetect',
  'template',
  'consolidationNeeded',
  'accessible',
  'allowPromiscuous',
  'efiSecureBootEnabled',
  'changeTrackingEnabled',
  'cpuHotAddEnabled',
  'memoryHotAddEnabled',
  'diskUuidEnabled',
]);
/** Lists, by the field and what holds it where the same name is a single value elsewhere. */
const LISTS = new Set([
  'device',
  'net',
  'ipConfig.ipAddress',
  'portgroup',
  'vswitch',
  'extraConfig',
  'rootSnapshotList',
  'childSnapshotList',
  'disk',
  'chain',
  'file',
  'fileKey',
  'licenses',
]);

export function vimValue(element: Element): VimValue {
  if (element.children.length === 0) return scalar(element);
  // Property values that are lists: `ArrayOfVirtualDevice` with children named `VirtualDevice`.
  if (element.type?.startsWith('ArrayOf')) return element.children.map(vimValue);
  const fields = new Map<string, VimValue>();
  const lists = new Map<string, VimValue[]>();
  for (const child of element.children) {
    const value = vimValue(child);
    const list = lists.get(child.name);
    if (list) list.push(value);
    else if (LISTS.has(child.name) || LISTS.has(`${element.name}.${child.name}`)) {
      const begun = [value];
      lists.set(child.name, begun);
      fields.set(child.name, begun);
    } else if (fields.has(child.name)) {
      const begun = [fields.get(child.name) ?? null, value];
      lists.set(child.name, begun);
      fields.set(child.name, begun);
    } else fields.set(child.name, value);
  }
  return { type: element.type ?? element.name, fields };
}

function scalar({ name, type, text }: Element): VimValue {
  if (type?.startsWith('ArrayOf')) return [];
  if (NUMBERS.has(name) && /^-?\d{1,19}$/.test(text.trim())) return Number(text);
  if (FLAGS.has(name)) return text.trim() === 'true' || text.trim() === '1';
  return text;
}

/** An object as vSphere declares it at a place where the answer does not say its type. */
export function typed(value: VimValue | undefined, type: string): VimObject | null {
  return isObject(value) ? { type, fields: value.fields } : null;
}
