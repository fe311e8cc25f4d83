/**
 * What a report says: the contract of `report -f json`, and what the page and the Markdown are made of. Sizes in bytes,
 * times in seconds or ISO 8601, names in snake_case. No imports: the page's script reads these types, too.
 */

export type Readiness = 'ready' | 'remedies' | 'blocked';

export interface Report {
  version: 1;
  generated_at: string;
  /** Version of the program that wrote it. */
  program: string;
  /**
   * Where the VMs were read: a saved inventory, the host itself, or the journal of a run. `saved_at` is when that
   * inventory was read from its host; null where it does not say, and of the others.
   */
  source: { kind: 'file' | 'host' | 'run'; name: string; saved_at: string | null };
  host: ReportHost | null;
  totals: ReportTotals;
  estimate: ReportEstimate;
  /** Every code that was found, blockers first, then by the number of VMs. */
  findings: FindingCount[];
  vms: ReportVm[];
  /** VMs that the host could not show. */
  skipped: { id: string; name: string | null; reason: string }[];
  /** The run that was named; the last one where several were. */
  run: ReportRun | null;
  runs: ReportRun[];
}

export interface ReportHost {
  name: string | null;
  product: string | null;
  version: string | null;
  build: string | null;
  uuid: string | null;
  license: string | null;
}

export interface ReportTotals {
  vms: number;
  ready: number;
  remedies: number;
  blocked: number;
  /** Of the blocked: those that need nothing but to be shut down. */
  blocked_by_power_only: number;
  /** Those that a run of this report has moved. */
  moved: number;
  skipped: number;
  vcpus: number;
  memory_mib: number;
  disks: number;
  /** What the guests see. */
  capacity_bytes: number;
  /** What the datastores hold. */
  allocated_bytes: number;
  /** What has to be copied from the host: of VMs that were not moved yet, without raw devices. */
  to_move_bytes: number;
  /** Disks whose size or use the host did not say; their use is taken for their size, or for 0. */
  disks_of_unknown_size: number;
}

export interface ReportEstimate {
  rate_bytes_per_second: number;
  /** `given`: by --rate. `measured`: by the runs of this report. `assumed`: nobody said or saw any. */
  basis: 'given' | 'measured' | 'assumed';
  /** One pass over the bytes to move; image and volume come on top. */
  seconds: number;
  by_readiness: Record<Readiness, { vms: number; to_move_bytes: number; seconds: number }>;
}

export type Severity = 'blocker' | 'warning' | 'info';

export interface ReportFinding {
  code: string;
  severity: Severity;
  subject: string;
  message: string;
  remedy: string;
}

export interface FindingCount {
  code: string;
  severity: Severity;
  /** VMs that have it, and how often it was found in all (a disk each, a NIC each). */
  vms: number;
  count: number;
  /** Of the first VM that has it. */
  example: { message: string; remedy: string };
}

export interface ReportVm {
  id: string;
  name: string;
  uuid: string | null;
  power_state: 'on' | 'off' | 'suspended' | null;
  guest_id: string | null;
  hardware_version: string | null;
  firmware: 'bios' | 'efi' | null;
  cpus: number | null;
  memory_mib: number | null;
  snapshots: number;
  vmx_path: string;
  capacity_bytes: number;
  allocated_bytes: number;
  to_move_bytes: number;
  estimate_seconds: number;
  readiness: Readiness;
  /** `yes`, or the first thing to do: the inventory's READY column. */
  advice: string;
  moved: boolean;
  disks: ReportDisk[];
  nics: ReportNic[];
  findings: ReportFinding[];
  /** Where the last of its runs put it, or was to put it; null without a run. */
  target: ReportTarget | null;
  /** Ids of the runs of this report that moved or tried to move it. */
  runs: string[];
}

export interface ReportDisk {
  label: string;
  controller: string | null;
  path: string | null;
  capacity_bytes: number | null;
  allocated_bytes: number | null;
  kind: string | null;
  mode: string;
  shared: boolean;
}

export interface ReportNic {
  label: string;
  model: string | null;
  mac: string | null;
  network: string | null;
  vlan_id: number | null;
  connected: boolean | null;
  ip_addresses: string[];
}

export interface ReportRun {
  run: string;
  command: string;
  state: 'done' | 'failed' | 'stopped' | 'running' | 'rolled_back';
  opened_at: string;
  updated_at: string;
  vm: { id: string; name: string; uuid: string | null } | null;
  source_host: string | null;
  target: ReportTarget;
  timeline: {
    /** Time in which the run was worked on; what lay between its sessions is in `pauses`. */
    active_seconds: number;
    steps: TimelineStep[];
    pauses: { offset_seconds: number; seconds: number }[];
  };
  proofs: Proof[];
  warnings: { code: string; message: string }[];
  error: { code: string; message: string; hint: string | null } | null;
}

export interface TimelineStep {
  /** As in the journal: `export:scsi0:0`. */
  step: string;
  /** For a person: "Copy scsi0:0 from the host". */
  title: string;
  /** Its bytes are those that were read from the host. */
  from_host: boolean;
  state: 'done' | 'failed' | 'cut_off' | 'running';
  started_at: string;
  seconds: number;
  /** Since the run began, pauses left out. */
  offset_seconds: number;
  bytes: number | null;
  rate_bytes_per_second: number | null;
}

/** What is in the cloud, or planned to be: ids are null while a thing is not made (or no more). */
export interface ReportTarget {
  cloud: string | null;
  project: string | null;
  region: string | null;
  server: { name: string; server_id: string | null; flavor: string; flavor_reason: string; zone: string | null } | null;
  images: { label: string | null; image_id: string }[];
  volumes: {
    label: string;
    name: string | null;
    volume_id: string | null;
    size_gib: number;
    type: string | null;
    capacity_bytes: number | null;
    content_hash: string | null;
  }[];
  ports: {
    label: string;
    network: string | null;
    port_id: string | null;
    mac: string | null;
    ip_addresses: string[];
  }[];
}

/** Something that a person wants to rely on, and whether it was shown to be so. */
export interface Proof {
  /** A disk's label, or `server`. */
  subject: string;
  claim: string;
  proved: boolean;
  detail: string;
}

/** The report as it lies in the page. */
export interface PackedReport extends Omit<Report, 'vms'> {
  all_findings: ReportFinding[];
  vms: PackedVm[];
  basis_text: string;
  /** What it was made from: `an inventory saved on …`. */
  source_text: string;
  /** The warning of an inventory that is old. */
  age_warning: string | null;
}

/** `findings` are places in `all_findings`. */
export interface PackedVm extends Omit<ReportVm, 'findings'> {
  findings: number[];
}
