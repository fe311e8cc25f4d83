import type { Zone } from '../../openstack/index.js';
import { finding, type Finding } from '../findings/finding.js';
import { cloudRule, ofVm, type PreflightVm, type TargetFacts } from './rule.js';

/** SCS-0121: a volume of another zone than the server's should not be expected to attach. */
export const zone = cloudRule({
  codes: ['cloud.zone_mismatch'],
  find: (target, vms) => vms.flatMap((item) => judge(target, item).map((found) => ofVm(item, found))),
});

function judge({ zones }: TargetFacts, { server, volumes }: PreflightVm): Finding[] {
  const compute = server?.zone ?? null;
  const of = [...new Set(volumes.map((volume) => volume.zone))];
  return [
    ...down('Nova', compute, zones.compute),
    ...of.flatMap((name) => down('Cinder', name, zones.volume)),
    ...(server ? of.flatMap((name) => mismatch(zones, compute, name)) : []),
  ];
}

function down(service: string, name: string | null, all: readonly Zone[]): Finding[] {
  if (name === null || all.find((item) => item.name === name)?.available !== false) return [];
  return [
    finding('cloud.zone_mismatch', 'blocker', 'vm', {
      message: `Zone ${name} of ${service} is there, and not available now.`,
      remedy: `Choose another one (${service === 'Nova' ? '--zone' : '--volume-zone'} NAME), or wait until the operator has it back.`,
    }),
  ];
}

function mismatch(zones: TargetFacts['zones'], compute: string | null, volume: string | null): Finding[] {
  const warn = (message: string, remedy: string) => [
    finding('cloud.zone_mismatch', 'warning', 'vm', {
      message,
      remedy: `${remedy} Zones of servers and volumes should match (SCS-0121).`,
    }),
  ];
  if (compute !== null && volume !== null && compute !== volume) {
    return warn(
      `The server is to be in zone ${compute} and its volumes in ${volume}: where the cloud forbids attaching across zones, the server cannot be made.`,
      `Use --zone and --volume-zone with the same name.`,
    );
  }
  if (compute !== null && volume === null && zones.volume.length > 1) {
    return warn(
      `The server is to be in zone ${compute}, and Cinder has no zone of that name: in which of ${list(zones.volume)} the volumes will be is the cloud's choice.`,
      'Name it: --volume-zone NAME.',
    );
  }
  const nova = zones.compute.filter((item) => item.name !== 'internal');
  if (compute === null && volume !== null && nova.length > 1) {
    return warn(
      `The volumes are to be in zone ${volume}, and which of ${list(nova)} the server will be in is the cloud's choice.`,
      'Name it: --zone NAME.',
    );
  }
  return [];
}

const list = (zones: readonly Zone[]) => zones.map(({ name }) => name).join(', ');
