/** How long to wait for a resource, and what to tell a person about it. */
export interface Wait {
  timeoutMs: number;
  /** Time between two looks; 2,000 ms if unset. */
  intervalMs?: number;
  /** Unique among what is waited for at once; the resource's kind and id if unset. */
  task?: string;
  /** What is waited for: "volume web01-scsi0:0 to become available". Made from the resource if unset. */
  label?: string;
  /** The option that gives more time, for the error's hint: `--timeout-volume`. */
  option?: string;
}
