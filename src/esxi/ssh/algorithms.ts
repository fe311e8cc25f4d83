import type {
  Algorithms,
  CipherAlgorithm,
  CompressionAlgorithm,
  KexAlgorithm,
  MacAlgorithm,
  ServerHostKeyAlgorithm,
} from 'ssh2';

// AES-GCM first: one pass, and the fastest that node:crypto has. ESXi 8 offers it.
const CIPHERS: CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
  'chacha20-poly1305@openssh.com',
];
const KEX: KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group-exchange-sha256',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group18-sha512',
];
const MACS: MacAlgorithm[] = [
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'hmac-sha2-256',
  'hmac-sha2-512',
];
const HOST_KEYS: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];
const COMPRESS: CompressionAlgorithm[] = ['none'];

// What ESXi 4 to 6.0 need. Offered behind the modern ones, and only when asked for.
const LEGACY = {
  cipher: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc'] satisfies CipherAlgorithm[],
  kex: [
    'diffie-hellman-group-exchange-sha1',
    'diffie-hellman-group14-sha1',
    'diffie-hellman-group1-sha1',
  ] satisfies KexAlgorithm[],
  hmac: ['hmac-sha1-etm@openssh.com', 'hmac-sha1'] satisfies MacAlgorithm[],
  serverHostKey: ['ssh-rsa', 'ssh-dss'] satisfies ServerHostKeyAlgorithm[],
};

/** The type of key (`ssh-rsa`) that a signature algorithm (`rsa-sha2-512`, RFC 8332) belongs to. */
function keyTypeOf(algorithm: ServerHostKeyAlgorithm): string {
  return algorithm === 'rsa-sha2-512' || algorithm === 'rsa-sha2-256' ? 'ssh-rsa' : algorithm;
}

export interface AlgorithmChoice {
  legacy: boolean;
  /** Key types that known_hosts holds for the host: asked for first, so that a known host is known again. */
  preferredKeyTypes?: readonly string[];
  /** Key types not to ask for: those whose key was seen and did not fit. */
  excludedKeyTypes?: readonly string[];
}

/** What this side offers, best first. `serverHostKey` may come out empty when every type is excluded. */
export function algorithms(choice: AlgorithmChoice): Required<Omit<Algorithms, 'serverHostKey'>> & {
  serverHostKey: ServerHostKeyAlgorithm[];
} {
  const more = choice.legacy ? LEGACY : { cipher: [], kex: [], hmac: [], serverHostKey: [] };
  const preferred = choice.preferredKeyTypes ?? [];
  const hostKeys = [...HOST_KEYS, ...more.serverHostKey].filter(
    (name) => !choice.excludedKeyTypes?.includes(keyTypeOf(name)),
  );
  const isPreferred = (name: ServerHostKeyAlgorithm) => preferred.includes(keyTypeOf(name));
  return {
    cipher: [...CIPHERS, ...more.cipher],
    kex: [...KEX, ...more.kex],
    hmac: [...MACS, ...more.hmac],
    compress: COMPRESS,
    serverHostKey: [...hostKeys.filter(isPreferred), ...hostKeys.filter((name) => !isPreferred(name))],
  };
}
