import { formatBytes } from '../core/index.js';
import { standing } from './findings/accept.js';
import type { Finding } from './findings/index.js';
import type { QuotaRow } from './preflight/index.js';

/** A finding, and whether it was taken knowingly. */
export type CheckFinding = Finding & { accepted: boolean };

export type CheckState = 'ready' | 'warnings' | 'blocked';
/** Of the host also that nobody asked it: the check was of a saved inventory. */
export type HostState = CheckState | 'unknown';

/** What `check` found: `check -f json`. */
export interface CheckResult {
  state: CheckState;
  vms: { vm: string; id: string; state: CheckState; findings: CheckFinding[] }[];
  /** Of all VMs together. `quota` holds what they need and what there is. */
  cloud: {
    name: string | null;
    project: string | null;
    state: CheckState;
    findings: CheckFinding[];
    quota: QuotaRow[];
  };
  host: {
    name: string;
    state: HostState;
    /** When the saved inventory was read that was looked at; null where it does not say, or where the host was asked. */
    inventory_saved_at: string | null;
    findings: CheckFinding[];
  };
  converter: {
    node: string;
    qemu_img: string | null;
    staging: { path: string; free_bytes: number | null; needed_bytes: number };
    state: CheckState;
    findings: CheckFinding[];
  };
  summary: { vms: number; ready: number; warnings: number; blocked: number; accepted: number; text: string };
  /** What was taken knowingly; `vm` and `id` are null for what all VMs share. */
  accepted: { vm: string | null; id: string | null; code: string; subject: string }[];
}

/** What was found, before anything is taken knowingly. */
export interface Found {
  vms: { vm: string; id: string; findings: Finding[] }[];
  cloud: { name: string | null; project: string | null; findings: Finding[]; quota: QuotaRow[] };
  host: {
    name: string;
    /** The saved inventory that was looked at, and when it was read, in words; null where the host was asked. */
    saved: { at: string | null; when: string } | null;
    findings: Finding[];
  };
  converter: Pick<CheckResult['converter'], 'node' | 'qemu_img' | 'staging'> & { findings: Finding[] };
}

/**
 * Judges what was found.
 * @throws StackferryError `accept.refused` where `accept` names a blocker that cannot be overridden.
 */
export function judge(found: Found, accept: readonly string[]): CheckResult {
  const sides = [found.cloud, found.host, found.converter];
  const all = [...found.vms, ...sides].flatMap(({ findings }) => findings);
  const taken = new Set(standing(all, accept).accepted);
  const mark = (findings: readonly Finding[]) => {
    const marked = findings.map((item): CheckFinding => ({ ...item, accepted: taken.has(item) }));
    return { state: stateOf(marked), findings: marked };
  };
  const vms = found.vms.map((item) => ({ vm: item.vm, id: item.id, ...mark(item.findings) }));
  const cloud = { ...found.cloud, ...mark(found.cloud.findings) };
  const { saved, ...ofHost } = found.host;
  const seen = mark(ofHost.findings);
  // What the file tells may stand in the way; that nothing does says nothing of the host as it is.
  const state: HostState = saved && seen.state === 'ready' ? 'unknown' : seen.state;
  const host = { ...ofHost, inventory_saved_at: saved?.at ?? null, ...seen, state };
  const converter = { ...found.converter, ...mark(found.converter.findings) };
  const of = (state: CheckState) => vms.filter((item) => item.state === state).length;
  const counts = { vms: vms.length, ready: of('ready'), warnings: of('warnings'), blocked: of('blocked') };
  const accepted = taken.size;
  return {
    state: worst([...vms, cloud, host, converter].map(({ state }) => state)),
    vms,
    cloud,
    host,
    converter,
    summary: { ...counts, accepted, text: summaryText({ ...counts, accepted }, { cloud, host, converter }, saved) },
    accepted: [
      ...vms.flatMap(({ vm, id, findings }) => findings.filter(isAccepted).map((item) => ({ vm, id, ...brief(item) }))),
      ...[cloud, host, converter].flatMap(({ findings }) =>
        findings.filter(isAccepted).map((item) => ({ vm: null, id: null, ...brief(item) })),
      ),
    ],
  };
}

const isAccepted = (item: CheckFinding) => item.accepted;
const brief = ({ code, subject }: CheckFinding) => ({ code, subject });

/** The state of some findings; what was accepted no longer counts, and notes never do. */
function stateOf(findings: readonly CheckFinding[]): CheckState {
  const stands = findings.filter(({ accepted }) => !accepted);
  if (stands.some(({ severity }) => severity === 'blocker')) return 'blocked';
  return stands.some(({ severity }) => severity === 'warning') ? 'warnings' : 'ready';
}

function worst(states: readonly HostState[]): CheckState {
  if (states.includes('blocked')) return 'blocked';
  return states.includes('warnings') ? 'warnings' : 'ready';
}

/** `3 VMs: 1 ready, 1 with warnings, 1 blocked; cloud blocked (cloud.quota); 12 GiB free here, 3.1 GiB needed.` */
function summaryText(
  counts: { vms: number; ready: number; warnings: number; blocked: number; accepted: number },
  sides: Pick<CheckResult, 'cloud' | 'host' | 'converter'>,
  saved: Found['host']['saved'],
): string {
  const states = [
    ...(counts.ready > 0 ? [`${counts.ready} ready`] : []),
    ...(counts.warnings > 0 ? [`${counts.warnings} with warnings`] : []),
    ...(counts.blocked > 0 ? [`${counts.blocked} blocked`] : []),
  ];
  const shared = (['cloud', 'host', 'converter'] as const).map((name) => {
    const { state, findings } = sides[name];
    const severity = state === 'blocked' ? 'blocker' : 'warning';
    const codes = findings.filter((item) => !item.accepted && item.severity === severity).map(({ code }) => code);
    if (state === 'ready') return `${name} ready`;
    if (state === 'unknown') return `${name} unknown (not asked)`;
    return `${name} ${state === 'blocked' ? 'blocked' : 'with warnings'} (${[...new Set(codes)].join(', ')})`;
  });
  const { free_bytes: free, needed_bytes: needed } = sides.converter.staging;
  const space = free === null ? [] : [`${formatBytes(needed)} to stage, ${formatBytes(free)} free`];
  const from = saved ? [`inventory saved on ${saved.when}`] : [];
  const vms = `${counts.vms} ${counts.vms === 1 ? 'VM' : 'VMs'}${states.length === 0 ? '' : `: ${states.join(', ')}`}`;
  const accepted = counts.accepted === 0 ? [] : [`${counts.accepted} accepted`];
  return `${[vms, ...shared, ...from, ...space, ...accepted].join('; ')}.`;
}
