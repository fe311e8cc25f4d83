import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** One usable line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  marker: 'revoked' | 'cert-authority' | null;
  /** The comma list of patterns, or one `|1|salt|hash`. */
  patterns: string[];
  keyType: string;
  /** The key in SSH wire form. */
  key: Buffer;
  line: number;
}

/** What the files say of a host's key. */
export interface KnownHostVerdict {
  /**
   * `match`: this very key is known. `revoked`: it is marked `@revoked`. `changed`: another key of this type is known.
   * `unknown`: no key of this type is.
   */
  verdict: 'match' | 'revoked' | 'changed' | 'unknown';
  /** Fingerprints of the keys known for the host, of any type. */
  known: string[];
}

/**
 * Reads a known_hosts file. Comments, empty lines and lines that do not hold a key are passed over, as ssh does:
 * one bad line must not lose the others.
 */
export function parseKnownHosts(text: string): KnownHost[] {
  const entries: KnownHost[] = [];
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const words = line.split(/[ \t]+/);
    let marker: KnownHost['marker'] = null;
    if (words[0]?.startsWith('@') === true) {
      const word = words.shift();
      if (word === '@revoked') marker = 'revoked';
      else if (word === '@cert-authority') marker = 'cert-authority';
      else return;
    }
    const [hosts, keyType, base64] = words;
    if (hosts === undefined || keyType === undefined || base64 === undefined) return;
    const key = decodeKey(keyType, base64);
    if (key === null) return;
    entries.push({ marker, patterns: hosts.split(','), keyType, key, line: index + 1 });
  });
  return entries;
}

/** `SHA256:…` without padding, as `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The key type that the wire form (RFC 4253, 6.6) begins with, or null. */
export function keyTypeOfBlob(key: Buffer): string | null {
  if (key.length < 4) return null;
  const length = key.readUInt32BE(0);
  if (length === 0 || length > 64 || key.length < 4 + length) return null;
  return key.toString('latin1', 4, 4 + length);
}

/** How known_hosts writes a host: `esx1`, or `[esx1]:2222` for another port than 22. */
export function hostToken(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Key types the files hold for this host, certificates' authorities and revoked keys left out. */
export function knownKeyTypes(entries: readonly KnownHost[], host: string, port: number): string[] {
  const fits = entries.filter((entry) => entry.marker === null && matchesHost(entry, hostToken(host, port)));
  return [...new Set(fits.map((entry) => entry.keyType))];
}

/**
 * Looks a host's key up. `@revoked` wins over everything; `@cert-authority` lines say nothing of a plain key and are
 * left out. For a port other than 22 a key known under the bare name counts as a match, as with ssh, but never as a
 * change.
 */
export function lookUp(
  entries: readonly KnownHost[],
  where: { host: string; port: number },
  key: Buffer,
): KnownHostVerdict {
  const token = hostToken(where.host, where.port);
  const bare = where.host.toLowerCase();
  const here = entries.filter((entry) => matchesHost(entry, token));
  const near = token === bare ? [] : entries.filter((entry) => matchesHost(entry, bare));
  const plain = here.filter((entry) => entry.marker === null);
  const known = [...new Set(plain.map((entry) => fingerprintOf(entry.key)))];
  const isKey = (entry: KnownHost) => entry.key.equals(key);

  if ([...here, ...near].some((entry) => entry.marker === 'revoked' && isKey(entry))) {
    return { verdict: 'revoked', known };
  }
  if (plain.some(isKey)) return { verdict: 'match', known };
  const type = keyTypeOfBlob(key);
  if (plain.some((entry) => entry.keyType === type)) return { verdict: 'changed', known };
  if (near.some((entry) => entry.marker === null && isKey(entry))) return { verdict: 'match', known };
  return { verdict: 'unknown', known };
}

/** The line that makes a key known: `[esx1]:2222 ssh-ed25519 AAAA…`. */
export function knownHostLine(host: string, port: number, key: Buffer): string {
  return `${hostToken(host, port)} ${keyTypeOfBlob(key) ?? 'unknown'} ${key.toString('base64')}\n`;
}

/** Whether an entry's patterns fit `token` (see {@link hostToken}). A negated pattern that fits rules the line out. */
function matchesHost(entry: KnownHost, token: string): boolean {
  let fits = false;
  for (const pattern of entry.patterns) {
    if (pattern.startsWith('|')) {
      if (matchesHash(pattern, token)) fits = true;
    } else if (pattern.startsWith('!')) {
      if (matchesPattern(pattern.slice(1), token)) return false;
    } else if (matchesPattern(pattern, token)) {
      fits = true;
    }
  }
  return fits;
}

/** `|1|base64(salt)|base64(HMAC-SHA1(salt, host))`. */
function matchesHash(pattern: string, token: string): boolean {
  const [empty, version, salt, hash, ...rest] = pattern.split('|');
  if (empty !== '' || version !== '1' || salt === undefined || hash === undefined || rest.length > 0) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(token).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` fits any run of characters, `?` any one; everything else, brackets too, means itself. No backtracking blow-up. */
function matchesPattern(pattern: string, token: string): boolean {
  const p = pattern.toLowerCase();
  let star = -1;
  let resume = 0;
  let i = 0;
  let j = 0;
  while (j < token.length) {
    if (i < p.length && p[i] === '*') {
      star = i++;
      resume = j;
    } else if (i < p.length && (p[i] === '?' || p[i] === token[j])) {
      i++;
      j++;
    } else if (star >= 0) {
      i = star + 1;
      j = ++resume;
    } else {
      return false;
    }
  }
  while (p[i] === '*') i++;
  return i === p.length;
}

/** The key's bytes if they are valid base64 and begin with the type that the line names. */
function decodeKey(keyType: string, base64: string): Buffer | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return null;
  const key = Buffer.from(base64, 'base64');
  return keyTypeOfBlob(key) === keyType ? key : null;
}
