import { finding } from '../findings/finding.js';
import { cloudRule, ofVm } from './rule.js';

/** What an older Nova cannot be told. */
export const microversion = cloudRule({
  codes: ['cloud.microversion'],
  find: ({ microversion: have }, vms) =>
    vms.flatMap((item) => {
      const { server, ports } = item;
      if (!server) return [];
      const said = have ?? 'no microversion';
      return [
        ...(ports.length === 0 && !reaches(have, 37)
          ? [
              ofVm(
                item,
                finding('cloud.microversion', 'blocker', 'vm', {
                  message: `It has no NIC, and Nova speaks ${said} here: a server without a network needs 2.37.`,
                  remedy:
                    'Ask the operator for a newer Nova, or see whether compute_api_microversion is set in clouds.yaml. In the plan a port can be given to a NIC of the VM.',
                }),
              ),
            ]
          : []),
        ...((server.tags ?? []).length > 0 && !reaches(have, 52)
          ? [
              ofVm(
                item,
                finding('cloud.microversion', 'warning', 'vm', {
                  message: `Nova speaks ${said} here: a server gets no tags when it is made (2.52), so ${(server.tags ?? []).join(', ')} would be missing.`,
                  remedy:
                    'Say it in metadata instead (--metadata KEY=VALUE, or metadata of the server in the plan), or see whether compute_api_microversion is set in clouds.yaml.',
                }),
              ),
            ]
          : []),
        ...(server.hostname !== null && server.hostname !== server.name && !reaches(have, 90)
          ? [
              ofVm(
                item,
                finding('cloud.microversion', 'info', 'vm', {
                  message: `Nova speaks ${said} here: the host name ${server.hostname} cannot be told (2.90), and Nova makes one of the server's name.`,
                  remedy: 'Nothing has to be done: a guest that sets its own name keeps it.',
                }),
              ),
            ]
          : []),
      ];
    }),
});

/** Whether a microversion 2.N is at least 2.`minor`. */
function reaches(have: string | null, minor: number): boolean {
  const [major = 0, n = 0] = (have ?? '0.0').split('.').map(Number);
  return major > 2 || (major === 2 && n >= minor);
}
