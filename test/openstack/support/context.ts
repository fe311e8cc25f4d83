import type { Context, StackferryEvent } from '../../../src/core/index.js';

export interface TestContext extends Context {
  /** Everything that was told, in order. */
  told: StackferryEvent[];
  /** Every sleep that was asked for, in milliseconds; none takes real time. */
  slept: number[];
  abort: (reason?: unknown) => void;
}

/** A context that records, with a clock that jumps instead of waiting. */
export function testContext(): TestContext {
  const told: StackferryEvent[] = [];
  const slept: number[] = [];
  const controller = new AbortController();
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  return {
    told,
    slept,
    abort: (reason) => controller.abort(reason),
    signal: controller.signal,
    events: {
      emit: (event) => told.push(event),
      ask: () => Promise.reject(new Error('nobody is here to answer')),
    },
    clock: {
      now: () => now,
      sleep: async (ms) => {
        slept.push(ms);
        now += ms;
        // Lets what is going on elsewhere go on, as a real wait would.
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
    log: { debug: () => undefined },
  };
}
