/**
 * What happens, as data. Everything below `src/commands` says what it does by emitting these; the terminal, the
 * journal, `--json` and the tests are listeners to the same stream. A new kind is added here and nowhere else.
 */

/** The kinds of things the program makes, in a cloud, on this machine, or (`snapshot`, `clone`) on the source host. */
export type ResourceKind =
  'image' | 'volume' | 'port' | 'flavor' | 'server' | 'attachment' | 'file' | 'snapshot' | 'clone';

export type StackferryEvent =
  /** A run was opened or gone on with. */
  | { kind: 'run.started'; run: string; vm: string; resumed: boolean }
  | { kind: 'run.finished'; run: string; vm: string; state: 'done' | 'failed' | 'stopped'; seconds: number }
  /** A step begins; `subject` names its object for a person ("disk scsi0:0", "server web01"). */
  | { kind: 'step.started'; step: string; subject: string }
  | { kind: 'step.finished'; step: string; subject: string; seconds: number; summary: string }
  /** The journal already holds this step's result, so nothing was done. */
  | { kind: 'step.skipped'; step: string; subject: string; summary: string }
  | { kind: 'step.failed'; step: string; subject: string; code: string; message: string }
  /** Bytes are moving. `task` is unique among what runs at once; `total` 0 means unknown; all counts in bytes. */
  | { kind: 'bytes.started'; task: string; label: string; total: number; done: number }
  | { kind: 'bytes.progress'; task: string; done: number; total: number }
  | { kind: 'bytes.finished'; task: string; done: number; seconds: number; ok: boolean }
  /** Waiting for something that is not bytes: a volume, a server, a guest that shuts down. */
  | { kind: 'wait.started'; task: string; label: string; timeoutSeconds: number }
  | { kind: 'wait.progress'; task: string; state: string; seconds: number; percent?: number }
  | { kind: 'wait.finished'; task: string; seconds: number; ok: boolean }
  /** Something exists now, or no longer does. */
  | { kind: 'resource.created'; resource: ResourceKind; id: string; name: string }
  | { kind: 'resource.deleted'; resource: ResourceKind; id: string; name: string }
  /** A call or transfer did not succeed and is tried again. */
  | { kind: 'retry'; what: string; attempt: number; delayMs: number; reason: string }
  /** Worth a line on the terminal. */
  | { kind: 'notice'; message: string }
  | { kind: 'warning'; code: string; message: string; hint?: string };

/** A question to a person. Where nobody can answer, the port throws and names the option to use instead. */
export type Question =
  | { type: 'confirm'; code: string; message: string; default: boolean; option: string }
  | { type: 'text'; code: string; message: string; option: string }
  | { type: 'secret'; code: string; message: string; option: string };

export type Answer<Q extends Question> = Q extends { type: 'confirm' } ? boolean : string;

/** The small port through which logic speaks: it tells and asks, and never prints. */
export interface EventPort {
  emit(event: StackferryEvent): void;
  ask<Q extends Question>(question: Q): Promise<Answer<Q>>;
}

/** A port that also tells a listener of every event, before the port itself. */
export function teeEvents(port: EventPort, listener: (event: StackferryEvent) => void): EventPort {
  return {
    emit: (event) => {
      listener(event);
      port.emit(event);
    },
    ask: (question) => port.ask(question),
  };
}
