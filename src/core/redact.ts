import { Secret } from './secret.js';

/** Names of fields and headers whose values are secrets wherever they occur. */
const SECRET_KEY =
  /(password|passwd|passphrase|secret|token|private[_-]?key|authorization|cookie|adminpass|user[_-]?data)/i;

/** Header names and keys that match {@link SECRET_KEY} but hold nothing secret. */
const HARMLESS_KEY = /^(password_file|token_url|os_password_file|passwordauthentication)$/i;

/**
 * Makes text safe to show: values of secret-looking keys, `user:password@` in URLs and before host names, Keystone tokens and the given
 * secrets are replaced by `***`. Applied before formatting, never after.
 */
export function redactText(text: string, secrets: readonly Secret[] = []): string {
  let out = text;
  for (const secret of secrets) {
    const value = secret.reveal();
    if (value.length >= 4) out = out.split(value).join('***');
  }
  return (
    out
      .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^/\s:@]+:)[^@\s/]+@/gi, '$1***@')
      // The same without a scheme, as it is typed by mistake: root:secret@esx1.
      .replace(/(^|[\s"'=])([\w.+-]+:)[^\s@:]+@(?=[\w[])/g, '$1$2***@')
      .replace(/([\w-]*(?:password|passphrase|secret)=)(?!\*\*\*)("[^"]*"|'[^']*'|[^\s&"']+)/gi, '$1***')
      .replace(
        /("?(?:x-auth-token|x-subject-token|x-service-token|authorization|set-cookie|cookie)"?\s*[:=]\s*)("[^"]*"|[^\s,}]+(?: [^\s,}]+)?)/gi,
        '$1***',
      )
      .replace(/("(?:password|secret|passphrase|adminPass|user_data|passwd)"\s*:\s*)"(?:[^"\\]|\\.)*"/gi, '$1"***"')
      .replace(/\bgAAAAA[A-Za-z0-9_-]{20,}/g, '***')
  );
}

/** A copy of a JSON-like value with the values of secret-looking keys masked, at any depth. */
export function redactValue(value: unknown, depth = 0): unknown {
  if (value instanceof Secret) return '***';
  if (typeof value === 'string') return redactText(value);
  if (value === null || typeof value !== 'object' || depth > 20) return value;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_KEY.test(key) && !HARMLESS_KEY.test(key) && (typeof item === 'string' || item instanceof Secret)
        ? '***'
        : redactValue(item, depth + 1),
    ]),
  );
}
