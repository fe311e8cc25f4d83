export { whenAborted } from './abort.js';
export { systemClock } from './clock.js';
export type { Clock, Context, Log } from './context.js';
export { deferred, type Deferred } from './deferred.js';
export {
  InterruptedError,
  StackferryError,
  UsageError,
  isCode,
  messageOf,
  systemCode,
  throwIfAborted,
  type ErrorDetails,
  type ExitCode,
} from './errors.js';
export {
  teeEvents,
  type Answer,
  type EventPort,
  type Question,
  type ResourceKind,
  type StackferryEvent,
} from './events.js';
export { contentRange, retryAfterMs } from './http-words.js';
export { makeFolders } from './folders.js';
export { Pacer } from './pacer.js';
export { poll, type PollOptions } from './poll.js';
export { lowerOwnPriority } from './priority.js';
export { parseDuration, parseRate } from './quantities.js';
export { RateMeter } from './rate.js';
export { redactText, redactValue } from './redact.js';
export { retry, type RetryPolicy } from './retry.js';
export { Secret } from './secret.js';
export { quoteForHint } from './shell-quote.js';
export { decodeText } from './text-encoding.js';
export { GIB, KIB, MIB, TIB, ceilGib, formatBytes, formatRate, formatSeconds } from './units.js';
export { orNothing, writeWhole, type WriteWholeOptions } from './write-whole.js';
