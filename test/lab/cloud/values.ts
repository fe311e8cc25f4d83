/** Reading JSON bodies without trusting them, and making ids and times as OpenStack writes them. */
import { randomUUID } from 'node:crypto';

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `body[key]` as an object; undefined when it is none. */
export function objectIn(body: unknown, key: string): Json | undefined {
  if (!isObject(body)) return undefined;
  const value = body[key];
  return isObject(value) ? value : undefined;
}

export function textIn(body: Json, key: string): string | undefined {
  const value = body[key];
  return typeof value === 'string' ? value : undefined;
}

export function listIn(body: Json, key: string): unknown[] | undefined {
  const value = body[key];
  return Array.isArray(value) ? value : undefined;
}

/** True when every value is a string, as OpenStack's metadata must be. */
export function isStringMap(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((entry) => typeof entry === 'string');
}

/** A value as Python prints it, which is how the services quote it in their messages. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string')
    return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("'", "\\'")}'`;
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (isObject(value)) {
    return `{${Object.entries(value)
      .map(([key, entry]) => `${repr(key)}: ${repr(entry)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** The same, but a string without its quotes: what `%s` gives. */
export const shown = (value: unknown): string => (typeof value === 'string' ? value : repr(value));

/** A boolean as the services read it from JSON and from queries (oslo's bool_from_string). */
export function asBoolean(value: unknown): boolean {
  return value === true || value === 1 || ['true', '1', 'yes', 'on', 't', 'y'].includes(String(value).toLowerCase());
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

export const newId = (): string => randomUUID();

/** 32 hex digits, as Keystone's ids are. */
export const newHexId = (): string => randomUUID().replaceAll('-', '');

/** `2026-11-25T02:23:05Z`: Glance, Neutron, Nova. */
export const zuluTime = (ms = Date.now()): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** `2026-11-25T02:23:05.000000`: Cinder. */
export const cinderTime = (ms = Date.now()): string => new Date(ms).toISOString().replace('Z', '000');

/** `2026-11-25T02:23:05.000000Z`: Keystone. */
export const keystoneTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

/** Replaces passwords, secrets and token ids, so that a log can be shown. */
export function withoutSecrets(value: unknown, parent = ''): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutSecrets(entry, parent));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      /^(password|secret|adminPass)$/i.test(key) && typeof entry !== 'object'
        ? '***'
        : key === 'id' && parent === 'token'
          ? '***'
          : withoutSecrets(entry, key),
    ]),
  );
}
