import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { messageOf } from './errors.js';

/**
 * Gives this process the lowest priority (nice 19 on Unix), and what it starts from now on. Linux keeps a priority for
 * each thread, so those that are there are set one by one.
 * @returns null, or why it could not be
 */
export function lowerOwnPriority(): string | null {
  try {
    setPriority(0, constants.priority.PRIORITY_LOW);
    for (const thread of threads()) {
      try {
        setPriority(thread, constants.priority.PRIORITY_LOW);
      } catch {
        // it has ended meanwhile
      }
    }
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [];
  }
}
