import { isIP } from 'node:net';

/** Whether a text is an IPv4 or IPv6 network as `192.0.2.0/24`; bits behind the prefix may be set. */
export function isCidr(text: string): boolean {
  const [, base = '', bits = ''] = /^([^/%]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(base);
  return family !== 0 && Number(bits) <= (family === 6 ? 128 : 32);
}
