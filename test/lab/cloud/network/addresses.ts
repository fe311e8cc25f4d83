/** IPv4 and IPv6 addresses as numbers, for pools and subnets. */
import { isIPv4, isIPv6 } from 'node:net';

/** The address as a number; null when it is none. */
export function toNumber(text: string): bigint | null {
  if (isIPv4(text)) return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  if (!isIPv6(text) || text.includes('%')) return null;
  let plain = text;
  const dotted = /(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const low = toNumber(dotted[2] ?? '') ?? 0n;
    plain = `${dotted[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].reduce((sum, part) => (sum << 16n) + BigInt(`0x${part}`), 0n);
}

/** The canonical text (RFC 5952) of a number. */
export function toText(value: bigint, version: 4 | 6): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

/** First and last number of `10.77.0.0/24`. */
export function rangeOf(cidr: string): { first: bigint; last: bigint; version: 4 | 6 } {
  const [base = '', bits = '0'] = cidr.split('/');
  const version = isIPv4(base) ? 4 : 6;
  const host = BigInt((version === 4 ? 32 : 128) - Number(bits));
  const first = ((toNumber(base) ?? 0n) >> host) << host;
  return { first, last: first + (1n << host) - 1n, version };
}

/** True when an address is one a host of the subnet may have: not the network's own, and not IPv4's broadcast. */
export function fits(address: string, cidr: string): boolean {
  const value = toNumber(address);
  const { first, last, version } = rangeOf(cidr);
  if (value === null || (version === 4) !== isIPv4(address)) return false;
  return value > first && (version === 6 ? value <= last : value < last);
}
