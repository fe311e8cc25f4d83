import { isIPv6 } from 'node:net';

/** Addresses as numbers, in both families. The callers give addresses that are valid. */

/** The number of an IPv4 or IPv6 address; an IPv4 tail (`::ffff:192.0.2.1`) and a zone (`fe80::1%eth0`) are understood. */
export function addressNumber(address: string): bigint {
  const ip = address.replace(/%.*$/, '');
  if (!isIPv6(ip)) return ip.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(ip);
  const dotted = tail ? addressNumber(tail[2] ?? '') : 0n;
  const plain = tail ? `${tail[1] ?? ''}${(dotted >> 16n).toString(16)}:${(dotted & 0xffffn).toString(16)}` : ip;
  const [head = '', rest] = plain.split('::');
  const before = groups(head);
  const after = groups(rest ?? '');
  const gap = rest === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => 0n);
  return [...before, ...gap, ...after].reduce((sum, group) => sum * 65_536n + group, 0n);
}

const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => BigInt(`0x${group}`)));

/** First and last address of a CIDR. */
export function cidrRange(cidr: string): { first: bigint; last: bigint } {
  const [base = '', bits = '0'] = cidr.split('/');
  const free = BigInt((isIPv6(base) ? 128 : 32) - Number(bits));
  const first = (addressNumber(base) >> free) << free;
  return { first, last: first + (1n << free) - 1n };
}

/** Whether an address lies from `start` to `end`, both included. */
export function isBetween(ip: string, { start, end }: { start: string; end: string }): boolean {
  if (isIPv6(ip) !== isIPv6(start)) return false;
  const number = addressNumber(ip);
  return number >= addressNumber(start) && number <= addressNumber(end);
}

/** How many addresses lie from `start` to `end`. */
export function countBetween({ start, end }: { start: string; end: string }): bigint {
  return addressNumber(end) - addressNumber(start) + 1n;
}

/** Whether two spellings are of one address. */
export function sameAddress(a: string, b: string): boolean {
  return isIPv6(a) === isIPv6(b) && addressNumber(a) === addressNumber(b);
}
