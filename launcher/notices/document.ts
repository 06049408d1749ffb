// Reads what a metadata service answers. What is wrong with it is told on one line and without what it says: it may be
// credentials.
import type * as z from 'zod';

/** `what`: names the document, such as "the spot notice". Throws an Error that says which part is not as expected. */
export function readDocument<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  what: string,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${what}: expected JSON, got ${String(text.length)} characters of something else`);
  }
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const [issue] = error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  throw new Error(`${what}${path === '' ? '' : `, ${path}`}: ${issue?.message ?? 'not as expected'}`);
}
