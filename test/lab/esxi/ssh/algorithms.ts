import type { Algorithms } from 'ssh2';

/**
 * An ESXi 8 host's list (recording sshd_config-effective.8.x), less the group exchange, which ssh2 cannot serve, and
 * the longer ECDSA host keys, of which we make none. `ssh-rsa` is refused, curve25519 and ed25519 are not there.
 */
const ESXI8: Algorithms = {
  kex: [
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  hmac: ['hmac-sha2-256', 'hmac-sha2-512'],
  serverHostKey: ['ecdsa-sha2-nistp256', 'rsa-sha2-256', 'rsa-sha2-512'],
  compress: ['none'],
};

/** What is told of 5.x hosts: SHA-1 everywhere. Only CBC, so that a client without legacy ciphers fails, too. */
const OLD: Algorithms = {
  kex: ['diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
  cipher: ['aes256-cbc', 'aes128-cbc', '3des-cbc'],
  hmac: ['hmac-sha1'],
  serverHostKey: ['ssh-rsa'],
  compress: ['none'],
};

export const ALGORITHMS = { esxi8: ESXI8, old: OLD };
