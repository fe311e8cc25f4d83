import { keyValue } from '../parse/esxcli-keyvalue.js';
import { parseVimObject, pickString, type VimValue } from '../parse/vim-object.js';
import { type Frame, textOf } from './batch.js';
import type { HostRecord } from './schema.js';

/** Lines of a batch that {@link hostRecord} reads. `esxcli system uuid get` is another uuid and is not asked. */
export const HOST_LINES = [
  'g host.version esxcli system version get',
  'g host.hostname esxcli system hostname get',
  'g host.platform esxcli hardware platform get',
  'g host.summary vim-cmd hostsvc/hostsummary',
  'g host.license vim-cmd vimsvc/license --show',
];

/** The host's record from the frames of {@link HOST_LINES}; what a host does not tell is null. */
export function hostRecord(frames: ReadonlyMap<string, Frame>): HostRecord {
  const version = textOf(frames.get('host.version'));
  const hostname = textOf(frames.get('host.hostname'));
  const summary = objectOf(frames.get('host.summary'));
  return {
    name:
      keyValue(hostname, 'Fully Qualified Domain Name') ??
      keyValue(hostname, 'Host Name') ??
      pickString(summary, 'config', 'name'),
    product: keyValue(version, 'Product') ?? pickString(summary, 'config', 'product', 'name'),
    version: keyValue(version, 'Version') ?? pickString(summary, 'config', 'product', 'version'),
    build: digits(keyValue(version, 'Build') ?? pickString(summary, 'config', 'product', 'build')),
    uuid:
      canonicalUuid(pickString(summary, 'hardware', 'uuid')) ??
      uuidOfBytes(keyValue(textOf(frames.get('host.platform')), 'UUID')),
    license: licenseKey(textOf(frames.get('host.license'))),
  };
}

/** The data object in a frame, or null where none can be read. */
export function objectOf(frame: Frame | undefined): VimValue {
  if (!frame) return null;
  try {
    return parseVimObject(textOf(frame));
  } catch {
    return null;
  }
}

/** A uuid in whatever spelling of 32 hex digits (`56 4d … -5c 4d …`), as 8-4-4-4-12 in lower case. */
export function canonicalUuid(text: string | null): string | null {
  const hex = text?.replace(/[\s{}-]/g, '').toLowerCase() ?? '';
  if (!/^[0-9a-f]{32}$/.test(hex)) return null;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** `UUID: 0x4c 0x4c 0x0 …` of `esxcli hardware platform get`: bytes in the order that SOAP prints them. */
function uuidOfBytes(text: string | null): string | null {
  if (text === null) return null;
  const bytes = text.trim().split(/\s+/);
  if (!bytes.every((byte) => /^0x[0-9a-f]{1,2}$/i.test(byte))) return canonicalUuid(text);
  return canonicalUuid(bytes.map((byte) => byte.slice(2).padStart(2, '0')).join(''));
}

/** `Releasebuild-24677879` is build 24677879. */
function digits(text: string | null): string | null {
  return /(\d+)\s*$/.exec(text ?? '')?.[1] ?? null;
}

/**
 * `vmodl key: esxBasic`. Only this key is taken: the serial stands beside it. Where several licences are installed the
 * evaluation is the one that is no longer in force.
 */
function licenseKey(text: string): string | null {
  const keys = [...text.matchAll(/^[^\S\n]*vmodl key:[^\S\n]*([A-Za-z0-9._-]+)[^\S\n]*\r?$/gim)].map(
    ([, key = '']) => key,
  );
  return keys.find((key) => key !== 'eval') ?? keys[0] ?? null;
}
