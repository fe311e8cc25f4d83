import type { Secret } from '../../core/index.js';

/** Where a host's API is, and what may be used to come in. */
export interface SoapTarget {
  host: string;
  /** 443 unless said otherwise. */
  port: number;
  user: string;
  /** Gives the password; asked at most once a session. */
  password: () => Promise<Secret>;
  /** The only certificate to accept: its SHA-256 (or SHA-1, as old hosts show it) in hex, with colons or without. */
  fingerprint?: string;
  /** PEM text of authorities to trust beside the system's. */
  ca?: string;
  /** Accept any certificate (with a warning). A `fingerprint` is still demanded where one is given. */
  insecure: boolean;
}
