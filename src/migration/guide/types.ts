import type { VmRecord } from '../../esxi/index.js';
import type { Finding } from '../findings/index.js';
import type { PlannedVm } from '../plan/document/index.js';
import type { DiskFiles } from './disk-files.js';

/** Everything that a guide is made of: a VM's plan, and where its two ends are. */
export interface GuideInput {
  /** Who says so: "stackferry 1.2.0, from the plan of …". */
  origin: string;
  vm: Pick<VmRecord, 'id' | 'name' | 'uuid' | 'power_state' | 'firmware' | 'secure_boot' | 'vtpm' | 'guest_id'>;
  host: {
    host: string;
    port: number;
    user: string;
    /** `SHA256:…` of its SSH key; null where nobody knows it. */
    fingerprint: string | null;
  };
  /** Null: a run that has not come so far. */
  cloud: GuideCloud | null;
  /** The disks that move, in the guest's order. */
  disks: DiskFiles[];
  /** Labels of those that stay behind. */
  skipped: readonly string[];
  /** As a plan file has them; ids may stand for names. Empty parts are not made. */
  images: PlannedVm['images'];
  volumes: PlannedVm['volumes'];
  ports: PlannedVm['ports'];
  /** Null: the guide ends before it. */
  server: GuideServer | null;
  /** As `--wait-for` has it. */
  waitFor: string;
  /** How the bytes get into the volumes: by images, or written to the volume that is attached to this machine. */
  via: 'glance' | 'cinder';
  findings: readonly Finding[];
  /** Those of the findings with which the steps cannot work: `migrate` refuses the VM for them. That it runs is none. */
  blockers: readonly Finding[];
}

export interface GuideCloud {
  /** Its name in clouds.yaml, or its host. */
  name: string;
  project_id: string;
  project_name: string;
  /** What the shell needs beside the environment in which the guide was made: OS_CLOUD, when it was said by option. */
  variables: readonly (readonly [name: string, value: string])[];
  /** The newest microversion of its Nova; null where not known. */
  compute: string | null;
}

export type GuideServer = Pick<
  PlannedVm['server'],
  'name' | 'hostname' | 'flavor' | 'zone' | 'key_name' | 'config_drive' | 'start' | 'metadata' | 'tags'
> & {
  /** The flavor is not there yet and has to be made, of this size. */
  create_flavor: { vcpus: number; ram_mib: number } | null;
};

/**
 * A command of a guide. The page shows each as a person types it; the script puts around it what makes it safe to run
 * again, and stops where one fails.
 */
export type GuideCommand = (
  | { kind: 'run'; text: string }
  /** What it prints is the value of a variable: the id of what it has made. The script keeps it. */
  | { kind: 'make'; variable: string; text: string }
  /** A value that is asked for anew each time. */
  | { kind: 'ask'; variable: string; text: string }
  /** Makes a file; the script writes it under another name first. */
  | { kind: 'file'; path: string; text: (path: string) => string }
  /** Is run again (a single command) until it prints what fits `wanted`; where `failed` fits, that is the end (both: ERE). */
  | { kind: 'wait'; text: string; what: string; wanted: string; failed: string | null; seconds: number }
  /** Succeeds if all is right; `wrong` says what is not, otherwise. */
  | { kind: 'check'; text: string; wrong: string }
  /** The script notes that it has come so far; a person knows. */
  | { kind: 'note'; variable: string }
) & {
  /** For a person only; the script has its own way. */
  page?: true;
  /** Not done again by the script where this has been noted. */
  unless?: string;
};

export interface UndoCommand {
  text: string;
  /** Only where this has been made. */
  variable?: string;
  /** A person's decision: the script's `undo` only tells it. */
  byHand?: true;
}

/** One step of a guide. Texts are plain sentences, without markup. */
export interface GuideStep {
  title: string;
  why: string;
  commands: GuideCommand[];
  check: { text: string; commands: GuideCommand[] };
  undo: { text: string; commands: UndoCommand[] };
  /** Told, and not done by the script: what comes later, or inside the guest. */
  later?: true;
}
