// What is different between two states of a thing, field by field, for people.

export interface Difference {
  readonly field: string;
  /** As text; null where the field was not there. */
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * Fields that differ, in the order of the later state. Of a thing that was made or deleted: all its fields that say
 * something.
 */
export function differences(before: unknown, after: unknown): Difference[] {
  const whole = before == null || after == null;
  const [old, now] = [fieldsOf(before, whole), fieldsOf(after, whole)];
  const names = new Set([...now.keys(), ...old.keys()]);
  return [...names]
    .map((field) => ({ field, before: old.get(field) ?? null, after: now.get(field) ?? null }))
    .filter((one) => one.before !== one.after);
}

/** Nothing, in whatever form: an empty text, list or object, or one of such. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

function fieldsOf(value: unknown, withoutEmpty: boolean): ReadonlyMap<string, string> {
  if (value === null || value === undefined) return new Map();
  if (typeof value !== 'object') return new Map([['value', textOf(value)]]);
  const fields = Object.entries(value).filter(([, field]) => !withoutEmpty || !isEmpty(field));
  return new Map(fields.map(([name, field]) => [name, textOf(field)]));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
