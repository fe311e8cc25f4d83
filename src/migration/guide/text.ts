import { formatBytes } from '../../core/index.js';
import { shown } from './names.js';
import type { GuideInput } from './types.js';

/** Text on one line: what is not printable, or acts on how text is shown, is out. */
export function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\p{C}/gu, '')
    .trim();
}

/** Words of a sentence in lines of at most so many characters, where they allow it. */
export function wrapped(text: string, width = 100): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of plain(text).split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** What moves where, in a few sentences: the head of both forms. */
export function headOf(input: GuideInput): { title: string; facts: string[]; blockers: string[]; notes: string[] } {
  const { vm, host, cloud, server } = input;
  const disks = input.disks.map(
    ({ label, capacity_bytes }) => `${label}${capacity_bytes === null ? '' : ` of ${formatBytes(capacity_bytes)}`}`,
  );
  const volumes = input.volumes.map(({ size_gib }) => `${size_gib} GiB`).join(' + ');
  const ports = input.ports.map(({ label, network }) => `${label} on ${shown(network)}`);
  return {
    title: `${shown(vm.name)}: from ${host.host}${cloud === null ? '' : ` to ${shown(cloud.name)}`}, by hand`,
    facts: [
      `VM ${shown(vm.name)} (id ${vm.id}) of ${host.user}@${host.host}; disks: ${disks.join(', ') || 'none'}.`,
      ...(input.skipped.length === 0 ? [] : [`Stays behind on purpose: ${input.skipped.join(', ')}.`]),
      ...(input.volumes.length === 0
        ? []
        : [`Project ${shown(cloud?.project_name ?? '')}: ${input.volumes.length} volume(s) of ${volumes}.`]),
      ...(server === null
        ? []
        : [
            `Server ${shown(server.name)}, flavor ${shown(server.flavor)}; ${ports.join(', ') || 'no NIC'}${server.start ? '' : '; not made yet (--no-start)'}.`,
          ]),
    ],
    blockers: input.blockers.map(
      ({ code, subject, message, remedy }) => `${subject === 'vm' ? '' : `${subject}: `}${message} ${remedy} (${code})`,
    ),
    notes: input.findings
      // What the guide itself takes care of is no news.
      .filter((one) => one.code !== 'vm.powered_on' && one.severity !== 'info' && !input.blockers.includes(one))
      .map(
        ({ code, severity, subject, message, remedy }) =>
          `${severity}${subject === 'vm' ? '' : ` ${subject}`}: ${message} ${remedy} (${code})`,
      ),
  };
}
