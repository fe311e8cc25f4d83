/** The embedded cloud's face: a small OpenStack on 127.0.0.1, for the demo and the tests. See README.md beside it. */
export { startCloud } from './cloud.js';
export type {
  CloudOptions,
  CloudSettings,
  CredentialKind,
  EmbeddedCloud,
  Fault,
  FaultAction,
  FaultMatch,
  Inventory,
  LoggedRequest,
  Quotas,
  ServiceName,
} from './types.js';
