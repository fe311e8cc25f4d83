import { createHash, generateKeyPairSync } from 'node:crypto';

import ssh2 from 'ssh2';

export interface HostKey {
  /** PEM or OpenSSH text. */
  privateKey: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  fingerprint: string;
}

/** A new host key: RSA for the old algorithms (`ssh-rsa`), else ECDSA, which costs next to nothing to make. */
export function newHostKey(kind: 'rsa' | 'ecdsa'): HostKey {
  const pair =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', {
          modulusLength: 2048,
          privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
          publicKeyEncoding: { type: 'spki', format: 'pem' },
        })
      : generateKeyPairSync('ec', {
          namedCurve: 'prime256v1',
          privateKeyEncoding: { type: 'sec1', format: 'pem' },
          publicKeyEncoding: { type: 'spki', format: 'pem' },
        });
  return hostKey(pair.privateKey);
}

/** A given host key with its fingerprint. */
export function hostKey(privateKey: string): HostKey {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const digest = createHash('sha256').update(parsed.getPublicSSH()).digest('base64').replace(/=+$/, '');
  return { privateKey, fingerprint: `SHA256:${digest}` };
}
