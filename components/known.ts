// What can be said of arguments before anything is deployed: the parts that are plain values.
import { Output } from '@pulumi/pulumi';

/** Arguments of which the parts that are not known yet are absent. */
export type Known<Value> = { readonly [Name in keyof Value]?: unknown };

/** A copy without outputs and promises: those are checked when their values are there. */
export function knownPart<Value>(value: Value): Partial<Value> {
  return strip(value) as Partial<Value>;
}

function strip(value: unknown): unknown {
  if (Output.isInstance(value) || value instanceof Promise) return undefined;
  if (Array.isArray(value)) return value.map(strip);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, strip(item)]));
  }
  return value;
}

/** A copy without the parts that are undefined. */
export function withoutUndefined<Value extends object>(
  value: Value,
): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>;
  };
}
