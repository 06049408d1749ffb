// One measured figure beside its reference, and what a set of samples says.

/** A figure as `npm run bench -- --json` prints it, one object a line. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Median of the samples. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** What it is compared to, measured in the same run; null where the goal is an absolute bound. */
  readonly reference: string | null;
  readonly referenceValue: number | null;
  /** value / referenceValue. */
  readonly ratio: number | null;
  /** The goal in words, or null where only the ratio is stated. */
  readonly goal: string | null;
  /** Null where there is no goal to meet. */
  readonly met: boolean | null;
  /** What limits it, or what a reader must know to judge it. */
  readonly note?: string;
}

/** The p-th quantile (0 to 1) of samples by nearest rank. Throws when there are none. */
export function quantile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))];
  if (value === undefined) throw new RangeError('Expected at least one sample, got none');
  return value;
}

/** Median, smallest and largest of samples. */
export function summary(samples: readonly number[]): { value: number; min: number; max: number } {
  return { value: quantile(samples, 0.5), min: Math.min(...samples), max: Math.max(...samples) };
}

/** A goal on the value itself or on the ratio to the reference. */
export type Goal =
  | { readonly of: 'value' | 'ratio'; readonly atMost: number }
  | { readonly of: 'value' | 'ratio'; readonly atLeast: number };

/** Builds a figure from samples of ours and of the reference, and judges it. */
export function figure(input: {
  name: string;
  unit: string;
  samples: readonly number[];
  reference?: { what: string; samples: readonly number[] };
  goal?: Goal;
  note?: string;
}): Figure {
  const ours = summary(input.samples);
  const referenceValue = input.reference ? quantile(input.reference.samples, 0.5) : null;
  const ratio = referenceValue === null || referenceValue === 0 ? null : ours.value / referenceValue;
  return {
    name: input.name,
    unit: input.unit,
    ...ours,
    reference: input.reference?.what ?? null,
    referenceValue,
    ratio,
    goal: input.goal ? goalText(input.goal, input.unit) : null,
    met: input.goal ? isMet(input.goal, ours.value, ratio) : null,
    ...(input.note === undefined ? {} : { note: input.note }),
  };
}

function goalText(goal: Goal, unit: string): string {
  const suffix = goal.of === 'ratio' ? '×' : unit;
  return 'atMost' in goal ? `≤ ${String(goal.atMost)} ${suffix}` : `≥ ${String(goal.atLeast)} ${suffix}`;
}

function isMet(goal: Goal, value: number, ratio: number | null): boolean {
  const judged = goal.of === 'ratio' ? ratio : value;
  if (judged === null) return false;
  return 'atMost' in goal ? judged <= goal.atMost : judged >= goal.atLeast;
}
