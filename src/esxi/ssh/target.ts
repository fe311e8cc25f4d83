import type { Secret } from '../../core/index.js';
import type { RemoteShell } from './shell.js';

/** Where a host's SSH door is, and what may be used to come in. */
export interface SshTarget {
  host: string;
  port: number;
  user: string;
  /** Gives the password. Called at most once a shell, and only when the host asks for one. */
  password?: () => Promise<Secret>;
  /** A private key file: OpenSSH, PEM or PuTTY format. */
  keyFile?: string;
  keyPassphrase?: Secret;
  /** Path of an ssh-agent's socket. With `keyFile` it is only used for that very key. */
  agentSocket?: string;
  /** The only host key to accept, as `ssh-keygen -l` prints it: `SHA256:…`. */
  fingerprint?: string;
  /** known_hosts files to look the host up in; missing ones are passed over. */
  knownHostsFiles: string[];
  /** The program's own known_hosts file: read like the others, and a host key the user trusts is added to it. */
  rememberIn: string;
  /** Accept any host key (with a warning). A `fingerprint` is still demanded where one is given. */
  insecure: boolean;
  /** Also offer the algorithms of old hosts. */
  legacy: boolean;
  /** Most connections that streams may open (at least 1). */
  maxConnections: number;
}

/** How the shell came in. */
export type LoginMethod = 'none' | 'key' | 'agent' | 'keyboard-interactive' | 'password';

/** What the connection told about itself, for `doctor` and for messages. */
export interface SshFacts {
  /** `SHA256:…` of the host key that was proved in the handshake. */
  hostKeyFingerprint: string;
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` … */
  hostKeyType: string;
  /** What made the host key acceptable. */
  hostKeyTrust: 'pinned' | 'known' | 'asked' | 'insecure';
  /** The server's first line: `SSH-2.0-OpenSSH_9.8`. */
  serverIdent: string;
  /** The text the host shows before the login, or null. */
  banner: string | null;
  /** The last method that let us in. */
  loginMethod: LoginMethod;
  /** Negotiated names. */
  cipher: string;
  keyExchange: string;
}

/** A {@link RemoteShell} over SSH. */
export interface SshShell extends RemoteShell {
  readonly facts: SshFacts;
}
