/*
 * One signal stops everything at once, and dozens of commands wait on it. Each listening by itself would make Node
 * warn of a leak; here a signal has one listener, which calls them all.
 */
const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` when the signal fires (at once if it has); returns how to stop waiting for it. */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  let callbacks = watched.get(signal);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    callbacks = all;
    watched.set(signal, all);
    signal.addEventListener(
      'abort',
      () => {
        for (const each of [...all]) each();
        all.clear();
      },
      { once: true },
    );
  }
  const mine = () => {
    callback();
  };
  const set = callbacks.add(mine);
  return () => set.delete(mine);
}
