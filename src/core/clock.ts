import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from './context.js';
import { InterruptedError, StackferryError } from './errors.js';

/** The real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch {
      throw signal?.reason instanceof StackferryError ? signal.reason : new InterruptedError();
    }
  },
};
