// What is different between two states of a thing, field by field, for people.

export interface Difference {
  readonly field: string;
  /** As text; null where the field was not there. */
  readonly before: string | null;
  readonly after: string | null;
}

/** Fields that differ, in the order of the later state. Of a thing that was made or deleted: all its fields. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const names = new Set([...now.keys(), ...old.keys()]);
  return [...names]
    .map((field) => ({ field, before: old.get(field) ?? null, after: now.get(field) ?? null }))
    .filter((one) => one.before !== one.after);
}

function fieldsOf(value: unknown): ReadonlyMap<string, string> {
  if (value === null || value === undefined) return new Map();
  if (typeof value !== 'object') return new Map([['value', textOf(value)]]);
  return new Map(Object.entries(value).map(([name, field]) => [name, textOf(field)]));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
