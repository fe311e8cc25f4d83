import { z } from 'zod';

/** What the services take as a name or value, for everything that a person writes: plans, rules, options. */

/** A name that may be given to what is made: Nova's `parameter_types.name`, which is the strictest. */
export const nameWord = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'a name has no line breaks or other control characters')
  .regex(/^(?!\s)[^]*(?<!\s)$/u, 'a name does not begin or end with a blank');

/** A host name as Nova takes it (`parameter_types.hostname`). */
export const hostnameWord = z
  .string()
  .regex(
    /^(?=.{2,63}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])$/,
    'a host name: 2 to 63 letters, digits and dashes, no dash at an end',
  );

/** The marks by which a run finds its server again. */
const MARKS = ['stackferry_run', 'stackferry_step'];

/** Metadata of a server: Nova's `parameter_types.metadata`. The marks of a run are set by the run. */
export const serverMetadata = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9_:. -]{1,255}$/, 'a metadata key: 1 to 255 letters, digits, blanks and _ : . -')
    .refine((key) => !MARKS.includes(key), 'a key that every run sets itself'),
  z.string().max(255),
);

/** A tag of a server (Compute API, "Server tags"): Nova splits lists of tags at commas, and paths at slashes. */
const serverTag = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[^,/]+$/, 'a tag has neither , nor /');

export const serverTags = z
  .array(serverTag)
  .max(50)
  .refine((tags) => new Set(tags).size === tags.length, 'each tag once');
