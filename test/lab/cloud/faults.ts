/** Faults that tests set: which request each is for, and how often. */
import type { Fault, FaultAction, ServiceName } from './types.js';

interface Armed {
  fault: Fault;
  /** Matching requests seen so far. */
  seen: number;
  path: RegExp | null;
}

export class Faults {
  #armed: Armed[] = [];

  /** Adds a fault, to be looked at before the older ones. Throws when its `path` is no regular expression. */
  add(fault: Fault): () => void {
    const path = fault.match.path;
    const armed: Armed = { fault, seen: 0, path: path === undefined ? null : new RegExp(path) };
    this.#armed.unshift(armed);
    return () => {
      this.#armed = this.#armed.filter((other) => other !== armed);
    };
  }

  clear(): void {
    this.#armed = [];
  }

  /** The action for a request, and null when it goes its way. Each matching fault counts the request. */
  take(request: { service: ServiceName; method: string; path: string }): FaultAction | null {
    let action: FaultAction | null = null;
    for (const armed of this.#armed) {
      const { match } = armed.fault;
      if (match.service !== undefined && match.service !== request.service) continue;
      if (match.method !== undefined && match.method.toUpperCase() !== request.method) continue;
      if (armed.path !== null && !armed.path.test(request.path)) continue;
      armed.seen++;
      const first = match.nth ?? 1;
      const times = match.times === 0 ? Infinity : (match.times ?? 1);
      if (action === null && armed.seen >= first && armed.seen < first + times) action = armed.fault.action;
    }
    return action;
  }
}
