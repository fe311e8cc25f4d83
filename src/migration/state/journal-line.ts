import { z } from 'zod';

/**
 * The lines of a run's journal: one fact a line, in the order in which things happened. The state of a run is a fold
 * over them (fold.ts). A newer program reads older lines, so a kind is never changed, only added.
 */

/** Version written into `run.opened`; raised when a reader of the old form would misread the new one. */
export const JOURNAL_VERSION = 1;

/** JSON has no `undefined`: a value that was left out reads as null. */
const json = z.unknown().default(null);
const at = z.string();

export const resourceKinds = [
  ...(['image', 'volume', 'port', 'flavor', 'server', 'attachment', 'file'] as const),
  ...(['snapshot', 'clone'] as const), // on the source host
] as const;

export const journalLineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('run.opened'),
    at,
    version: z.number(),
    run: z.string(),
    program: z.string(),
    /** What was asked for: `migrate`, `export`, `upload` … */
    command: z.string(),
    vm: z.object({ id: z.string(), name: z.string(), uuid: z.string().nullable() }).nullable(),
  }),
  /** A part of the plan, resolved. A later line for the same section replaces it. */
  z.object({ kind: z.literal('plan'), at, section: z.string(), value: json }),
  /** About to make something: it carries the run's and step's marker, so that it can be looked up. */
  z.object({
    kind: z.literal('intent'),
    at,
    step: z.string(),
    resource: z.enum(resourceKinds),
    name: z.string(),
    /** Where the maker chooses the id (Glance allows it). */
    id: z.string().optional(),
  }),
  z.object({
    kind: z.literal('made'),
    at,
    step: z.string(),
    resource: z.enum(resourceKinds),
    id: z.string(),
    name: z.string(),
  }),
  /** What was made is no longer there: deleted by us, or seen to be gone. */
  z.object({ kind: z.literal('gone'), at, step: z.string(), resource: z.enum(resourceKinds), id: z.string() }),
  /** The server was asked to start, so from here on it may hold data of its own. */
  z.object({ kind: z.literal('server.started'), at, step: z.string(), id: z.string() }),
  z.object({ kind: z.literal('step.started'), at, step: z.string() }),
  z.object({ kind: z.literal('step.done'), at, step: z.string(), seconds: z.number(), result: json }),
  z.object({
    kind: z.literal('step.failed'),
    at,
    step: z.string(),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
  /** The step's result no longer holds (rolled back, or a file went missing): it is to be run again. */
  z.object({ kind: z.literal('step.reset'), at, step: z.string() }),
  z.object({ kind: z.literal('session'), at, pid: z.number(), command: z.string() }),
  z.object({
    kind: z.literal('run.closed'),
    at,
    /** `ready`: what the step command was asked for is done, the run is not. */
    state: z.enum(['done', 'ready', 'failed', 'stopped', 'rolled_back']),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
  }),
  z.object({ kind: z.literal('warning'), at, code: z.string(), message: z.string() }),
]);

export type JournalLine = z.infer<typeof journalLineSchema>;

type WithoutTime<T> = T extends { at: string } ? Omit<T, 'at'> : never;
/** A line as a caller gives it: the journal adds the time. */
export type JournalEntry = WithoutTime<JournalLine>;
