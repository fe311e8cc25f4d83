import type { FindingCount, ReportVm, Severity } from './types.js';

const order: Record<Severity, number> = { blocker: 0, warning: 1, info: 2 };

/** How often each code was found: blockers first, then by the number of VMs, then by the code. */
export function countFindings(vms: readonly Pick<ReportVm, 'findings'>[]): FindingCount[] {
  // One code may block one VM and only warn of another: a shared disk does, by whether its sharer runs.
  const counts = new Map<string, FindingCount>();
  for (const { findings } of vms) {
    const seen = new Set<string>();
    for (const { code, severity, message, remedy } of findings) {
      const key = `${severity} ${code}`;
      const entry = counts.get(key) ?? { code, severity, vms: 0, count: 0, example: { message, remedy } };
      counts.set(key, entry);
      entry.count += 1;
      if (!seen.has(key)) entry.vms += 1;
      seen.add(key);
    }
  }
  return [...counts.values()].sort(
    (a, b) => order[a.severity] - order[b.severity] || b.vms - a.vms || (a.code < b.code ? -1 : 1),
  );
}
