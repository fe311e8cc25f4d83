import { BlockList, isIP } from 'node:net';
import type { CloudConfig } from './config/types.js';

/** The proxy for a URL; null: none. */
export function proxyOf(url: URL, proxy: CloudConfig['proxy']): string | null {
  if (isBypassed(url, proxy.no)) return null;
  return url.protocol === 'https:' ? proxy.https : proxy.http;
}

/**
 * Whether `NO_PROXY` takes this URL's host out: `*`, a name (and the names below it, with or without a leading dot),
 * an address, a network in CIDR form, each with an optional `:port`. As curl and python-requests read it.
 */
export function isBypassed(url: URL, noProxy: readonly string[]): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return noProxy.some((item) => {
    if (item === '*') return true;
    const match = /^(\[[0-9a-f:.]+\]|[^:]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:./]*)(?::(\d+))?$/.exec(item);
    if (match?.[1] === undefined || (match[2] !== undefined && match[2] !== port)) return false;
    const name = match[1].replace(/^\[|\]$/g, '');
    if (name.includes('/')) return inNetwork(host, name);
    const bare = name.replace(/^\*?\./, '');
    return bare !== '' && (host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`)));
  });
}

function inNetwork(host: string, cidr: string): boolean {
  const [address = '', prefix = ''] = cidr.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128))
    return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
