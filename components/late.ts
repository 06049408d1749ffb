// What can be said of arguments whose values come late, as outputs of other resources.
import { isSecret, Output, output, type Unwrap } from '@pulumi/pulumi';
import type { Fault } from '../protocol/errors.js';
import type { WorkerPoolArgs } from './arguments.js';

/** Arguments that decide which resources there are, and so must be known before anything is made. */
const early = [
  'size',
  'architecture',
  'machineType',
  'imageUpdates',
  'launcher',
  'runAs',
  'powerOffOnExit',
  'proxy',
  'diskSizeGb',
  'spot',
  'publicAddress',
  'runsUseInstanceIdentity',
  'waitForWorkers',
] as const satisfies readonly (keyof WorkerPoolArgs)[];

/** Whether a value as a whole is not there yet. */
export function isLate(value: unknown): boolean {
  return Output.isInstance(value) || value instanceof Promise;
}

/** The types say so, but JavaScript and other languages may not: left out silently, such an argument would be a default. */
export function checkEarly(args: object, faults: Fault[], names: readonly string[] = early): void {
  const values = new Map<string, unknown>(Object.entries(args));
  for (const path of names) {
    if (!isLate(values.get(path))) continue;
    faults.push({ path, reason: 'is an output; its value must be known before anything is made' });
  }
}

/** Whether any part of a value is not there yet. */
export function hasLate(value: unknown): boolean {
  if (isLate(value)) return true;
  return value !== null && typeof value === 'object' && Object.values(value).some(hasLate);
}

/**
 * A value as it is when all of it is there, else as an output: an output costs the deployer's program some thirty promises,
 * and one more for each of its parts.
 */
export function settled<Value>(value: Value): Unwrap<Value> | Output<Unwrap<Value>> {
  return hasLate(value) ? output(value) : (value as Unwrap<Value>);
}

/** What follows from a value: at once when it is there, else as an output. */
export function derived<Value, Result>(
  value: Value | Output<Value>,
  derive: (value: Value) => Result,
): Result | Output<Result> {
  return Output.isInstance(value) ? value.apply<Result>(derive) : derive(value);
}

/**
 * As an apply on pulumi.all of a list, with one output for each part that is one, in the place of three. Values of
 * outputs have no further outputs in them: `settled` sees to it where a user gave them.
 */
export function together<Values extends readonly unknown[], Result>(
  values: readonly [...Values],
  combine: (values: { [Index in keyof Values]: Unwrap<Values[Index]> }) => Result,
): Output<Unwrap<Result>> {
  const from = (index: number, known: readonly unknown[]): unknown => {
    if (index === values.length) return combine(known as { [Index in keyof Values]: Unwrap<Values[Index]> });
    const value = values[index];
    const next = (there: unknown) => from(index + 1, [...known, there]);
    return derived<unknown, unknown>(Output.isInstance(value) ? value : settled(value), next);
  };
  const all = from(0, []);
  return (Output.isInstance(all) ? all : output(all)) as Output<Unwrap<Result>>;
}

/** Paths of all secrets in a value. */
export async function secretsIn(value: unknown, path: string): Promise<string[]> {
  if (isLate(value)) return Output.isInstance(value) && (await isSecret(value)) ? [path] : [];
  if (Array.isArray(value)) {
    return (
      await Promise.all(value.map((item, index) => secretsIn(item, `${path}[${String(index)}]`)))
    ).flat();
  }
  if (value === null || typeof value !== 'object') return [];
  const parts = Object.entries(value).map(([name, item]) => secretsIn(item, `${path}.${name}`));
  return (await Promise.all(parts)).flat();
}
