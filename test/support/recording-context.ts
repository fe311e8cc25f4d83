import { InterruptedError, systemClock, type Context, type StackferryEvent } from '../../src/core/index.js';

export interface RecordingContext extends Context {
  seen: StackferryEvent[];
  stop(): void;
}

/** A context that keeps what is said and does not wait between tries. */
export function recordingContext(): RecordingContext {
  const seen: StackferryEvent[] = [];
  const controller = new AbortController();
  return {
    seen,
    stop: () => controller.abort(new InterruptedError()),
    signal: controller.signal,
    clock: { now: () => systemClock.now(), sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal) },
    log: { debug: () => undefined },
    events: {
      emit: (event) => void seen.push(event),
      ask: () => Promise.reject(new Error('nobody is asked here')),
    },
  };
}
