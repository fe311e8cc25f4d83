import type { z } from 'zod';

/** What is wrong with a value, for a person: of a key of a map what is wrong with the key. */
export function issueText(issue: z.core.$ZodIssue | undefined): string {
  return (issue?.code === 'invalid_key' ? issue.issues[0]?.message : undefined) ?? issue?.message ?? '';
}
