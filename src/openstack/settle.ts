import { StackferryError, isCode, type Context } from '../core/index.js';

/** Milliseconds before each look for what a lost answer may have made. */
const LOOKS_MS = [0, 2_000, 4_000];

/**
 * Creates something with one request. Where its answer is lost (connection cut, gateway error), nobody knows whether
 * the service heard it: then what was asked for is looked up by its marker, and only if it is not there the error
 * stands. The request is never sent a second time.
 */
export async function createOnce<T>(
  ctx: Context,
  what: string,
  create: () => Promise<T>,
  find: () => Promise<T | undefined>,
): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!isAnswerLost(error)) throw error;
    ctx.log.debug(`The answer to "${what}" was lost; looking whether it was carried out.`, { code: error.code });
    for (const delay of LOOKS_MS) {
      await ctx.clock.sleep(delay, ctx.signal);
      const found = await find();
      if (found !== undefined) return found;
    }
    throw error;
  }
}

/** Whether a request may have been carried out although it failed here. */
function isAnswerLost(error: unknown): error is StackferryError {
  return (
    isCode(error, 'cloud.server_error') ||
    isCode(error, 'cloud.bad_answer') ||
    (isCode(error, 'cloud.unreachable') && error.details['sent'] !== false)
  );
}

/** The same error under a code (and hint) that says what it means here. */
export function recode(error: StackferryError, code: string, hint: string): StackferryError {
  return new StackferryError(code, error.message, {
    hint,
    cause: error,
    details: error.details,
    exitCode: error.exitCode,
  });
}
