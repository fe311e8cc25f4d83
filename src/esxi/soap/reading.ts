import { z } from 'zod';
import { Element, badAnswer } from './xml.js';

/** zod over elements: how the answers' shapes are declared. Unknown children are passed over; hosts add some. */

export const element = z.custom<Element>((value) => value instanceof Element);

/** The text of an element. */
export const text = element.transform(({ text: own }) => own);
export const flag = text.pipe(z.enum(['true', 'false', '1', '0'])).transform((word) => word === 'true' || word === '1');

/** A reference to a managed object. */
export const reference = element.transform(({ managedType, text: id }, ctx): MoRef => {
  if (managedType === null || id === '') {
    ctx.addIssue({ code: 'custom', message: 'no reference to a managed object' });
    return z.NEVER;
  }
  return { type: managedType, id };
});

export interface MoRef {
  type: string;
  id: string;
}

/** Exactly the first child of a name, at most the first, all of them. */
export const one = <T extends z.ZodType>(inner: T) => z.preprocess(first, inner);
export const maybe = <T extends z.ZodType>(inner: T) => z.preprocess(first, inner.optional());
export const many = <T extends z.ZodType>(inner: T) => z.preprocess((all) => all ?? [], z.array(inner));

function first(all: unknown): unknown {
  return Array.isArray(all) ? (all[0] as unknown) : undefined;
}

/** An element with these children. */
export const node = <T extends z.ZodRawShape>(shape: T) =>
  z.preprocess((value) => (value instanceof Element ? byName(value) : value), z.object(shape));

function byName({ children }: Element): Record<string, Element[]> {
  const found = new Map<string, Element[]>();
  for (const child of children) found.set(child.name, [...(found.get(child.name) ?? []), child]);
  return Object.fromEntries(found);
}

/** Reads an element by a schema; throws `esxi.bad_answer` that names what is wrong. */
export function readElement<T extends z.ZodType>(schema: T, value: Element): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw badAnswer(`${value.name}${issue ? ` ${issue.path.join('.')}: ${issue.message}` : ''}`);
}
