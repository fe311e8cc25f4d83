import { UsageError } from '../../core/index.js';
import { impossibleProperty, reservedProperty } from '../../migration/plan/image-words.js';

/** Glance keeps names and values of properties in columns of 255 characters. */
const LONGEST = 255;

/** Reads `KEY=VALUE`, repeatable; split at the first `=`. */
export function parseProperties(list: readonly string[]): Record<string, string> {
  const found = new Map<string, string>();
  for (const text of list) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(0, at)).trim();
    const value = text.slice(at + 1);
    if (key === '') {
      throw new UsageError(
        `--property "${text}" is not of the form KEY=VALUE.`,
        'Example: --property os_distro=debian',
      );
    }
    const reserved = reservedProperty(key);
    if (reserved !== null) {
      throw new UsageError(
        `--property ${key}: ${reserved}.`,
        'Set it later, where the cloud lets you: openstack image set --help',
      );
    }
    if (/[\s\u0000-\u001f\u007f]/.test(key) || /[\u0000-\u001f\u007f]/.test(value)) {
      throw new UsageError(
        `--property "${text}" holds a blank in its key, or a control character.`,
        'Example: --property os_distro=debian',
      );
    }
    if (key.length > LONGEST || value.length > LONGEST) {
      throw new UsageError(
        `--property ${key.slice(0, 40)}…: Glance keeps ${LONGEST} characters at most.`,
        'Shorten it.',
      );
    }
    const impossible = impossibleProperty(key, value);
    if (impossible !== null) {
      throw new UsageError(`--property ${key}: Nova cannot make anything of "${value}".`, `Give ${impossible}.`);
    }
    if (found.has(key)) throw new UsageError(`--property ${key} is given twice.`, 'Give it once.');
    found.set(key, value);
  }
  return Object.fromEntries(found);
}
