import type { z } from 'zod';
import { StackferryError } from '../core/index.js';

/** The error for a part of a run in a form that this program does not know: of another version, or edited. */
export function strangeForm(run: string, what: string, cause: z.ZodError): StackferryError {
  const [issue] = cause.issues;
  const at = (issue?.path ?? []).map(String).join('.');
  const why = issue === undefined ? '' : ` (${at === '' ? '' : `${at}: `}${issue.message})`;
  return new StackferryError(
    'run.unreadable',
    `Run ${run} holds ${what} in a form that this program does not know${why}.`,
    { hint: 'Look at it with the version that wrote it.', cause },
  );
}
