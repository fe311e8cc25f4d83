import { formatBytes, formatSeconds, GIB } from '../../core/index.js';
import { finding } from '../findings/finding.js';
import { KEEP_SSH, isFreeLicense, type HostFacts } from '../host-facts.js';
import type { PreflightFinding, PreflightRule, PreflightVm } from './rule.js';

const onHost = (found: PreflightFinding['finding']): PreflightFinding => ({ place: 'host', finding: found });

/** Whether the host can be read, and for how long. */
export const hostAccess: PreflightRule = {
  codes: ['host.no_ssh', 'host.legacy_algorithms', 'host.ssh_timeout', 'host.free_license'],
  find: ({ host }) => (host ? [...unread(host), ...legacy(host), ...timeout(host), ...license(host)] : []),
};

function unread({ problem }: HostFacts): PreflightFinding[] {
  if (!problem) return [];
  return [onHost(finding(problem.code, 'blocker', 'host', { message: problem.message, remedy: problem.hint }))];
}

/** CBC ciphers, and key exchange with SHA-1: what --esxi-legacy-ssh adds to the offer. */
function legacy({ ssh }: HostFacts): PreflightFinding[] {
  const old = ssh ? [ssh.cipher, ssh.keyExchange].filter((name) => /-cbc$|-sha1$/.test(name)) : [];
  if (old.length === 0) return [];
  return [
    onHost(
      finding('host.legacy_algorithms', 'warning', 'host', {
        message: `The connection uses ${old.join(' and ')}, which are broken today: who sits between may read along.`,
        remedy: 'Update the host, or see to it that the network between is your own.',
      }),
    ),
  ];
}

function timeout({ shellSeconds }: HostFacts): PreflightFinding[] {
  if (shellSeconds === null || shellSeconds === 0) return [];
  return [
    onHost(
      finding('host.ssh_timeout', 'warning', 'host', {
        message: `The host switches SSH off ${formatSeconds(shellSeconds)} after it was switched on. What takes longer is cut off by it; it can be resumed.`,
        remedy: `Compare with: stackferry estimate. ${KEEP_SSH}`,
      }),
    ),
  ];
}

function license(host: HostFacts): PreflightFinding[] {
  if (host.license === null || !isFreeLicense(host.license)) return [];
  return [
    onHost(
      finding('host.free_license', 'info', 'host', {
        message: `The host has the free licence (${host.license}): its API refuses changes.`,
        remedy: 'Nothing has to be done: stackferry works over SSH, and needs no changes by the API.',
      }),
    ),
  ];
}

/** A datastore below this is full for whatever a VM or a person still wants to do on it. */
const LEAST_FREE = GIB;

/** Datastores of these VMs that are all but full. A migration itself writes nothing on the host. */
export const hostSpace: PreflightRule = {
  codes: ['host.space'],
  find: ({ host, vms }) =>
    (host?.datastores ?? []).flatMap(({ name, free_bytes: free }) => {
      const users = vms.filter((item) => canGrow(item) && isOn(item, name));
      if (free === null || free >= LEAST_FREE || users.length === 0) return [];
      return onHost(
        finding('host.space', 'warning', 'host', {
          message: `Datastore ${name} has ${formatBytes(free)} free. ${users.map((item) => item.name).join(', ')} may stop when snapshots or thin disks cannot grow any more, and snapshots cannot be merged.`,
          remedy:
            'Free space there first: the migration writes nothing on the host, but a VM that was stopped so does not shut down cleanly.',
        }),
      );
    }),
};

/** Only a VM that runs writes, and only snapshots may be merged. */
function canGrow({ vm }: PreflightVm): boolean {
  return vm.power_state === 'on' || vm.snapshots > 0;
}

function isOn({ vm }: PreflightVm, datastore: string): boolean {
  return vm.disks.some(({ path }) => path?.startsWith(`[${datastore}]`) === true);
}
