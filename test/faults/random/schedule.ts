// A round as data: which runs are started when, and what goes wrong when. Everything in it comes from one seed.
import fc from 'fast-check';
import type { PlannedRun, PlannedStep } from './work.js';

/** Launchers of a fleet. */
export const launcherCount = 3;
/** Milliseconds within which a round's runs and faults begin. */
const begins = 2_500;

/** Times in milliseconds; `at` counts from the begin of the round. `launcher` and `run` are numbers from 0. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill-launcher'; readonly launcher: number; readonly down: number }
  | { readonly kind: 'lose-machine'; readonly launcher: number }
  | { readonly kind: 'end-launcher'; readonly launcher: number }
  | { readonly kind: 'stop-launcher'; readonly launcher: number; readonly after: number }
  | { readonly kind: 'kill-control-plane'; readonly down: number }
  /** Every process of a run, or one of them. */
  | { readonly kind: 'kill-run'; readonly launcher: number; readonly whole: boolean }
  /** Of one launcher, or of all. */
  | { readonly kind: 'cut-line' | 'freeze-line'; readonly launcher: number | null; readonly lasts: number }
  | { readonly kind: 'cut-api' | 'freeze-api'; readonly lasts: number }
  | { readonly kind: 'slow'; readonly by: number; readonly lasts: number }
  | { readonly kind: 'drain'; readonly launcher: number; readonly lasts: number }
  | { readonly kind: 'stop-run'; readonly run: number }
  | { readonly kind: 'stall' }
);

/** What is drawn; that the machine itself stalls is only noticed. */
export type FaultKind = Exclude<Fault['kind'], 'stall'>;

export interface Schedule {
  readonly seed: number;
  readonly runs: readonly PlannedRun[];
  /** In the order of their begin. */
  readonly faults: readonly Fault[];
}

const time = (most: number) => fc.integer({ min: 0, max: most });
const launcher = fc.integer({ min: 0, max: launcherCount - 1 });

const step: fc.Arbitrary<PlannedStep> = fc.record({
  lines: fc.integer({ min: 0, max: 40 }),
  takes: fc.oneof(fc.constant(0), time(300), { weight: 1, arbitrary: time(1_500) }),
});

const run: fc.Arbitrary<PlannedRun> = fc.record({
  at: time(1_500),
  type: fc.constantFrom('PROPOSED', 'TRACKED', 'TASK', 'DESTROY'),
  hook: fc.option(step, { freq: 2 }),
  steps: fc.array(step, { minLength: 1, maxLength: 3 }),
  apply: step,
  fails: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
});

/** How often each comes, and what is random in it. */
const faults: Readonly<
  Record<FaultKind, readonly [weight: number, Readonly<Record<string, fc.Arbitrary<unknown>>>]>
> = {
  'kill-launcher': [8, { launcher, down: time(1_500) }],
  'lose-machine': [3, { launcher }],
  'end-launcher': [4, { launcher }],
  'stop-launcher': [3, { launcher, after: time(500) }],
  'kill-control-plane': [6, { down: time(1_000) }],
  'kill-run': [5, { launcher, whole: fc.boolean() }],
  'cut-line': [6, { launcher: fc.option(launcher, { freq: 3 }), lasts: time(2_000) }],
  // Noticed by silence alone, after many seconds.
  'freeze-line': [1, { launcher: fc.option(launcher, { freq: 3 }), lasts: time(2_000) }],
  'cut-api': [5, { lasts: time(2_000) }],
  'freeze-api': [1, { lasts: time(1_000) }],
  slow: [4, { by: time(400), lasts: time(3_000) }],
  drain: [5, { launcher, lasts: time(2_500) }],
  'stop-run': [5, { run: fc.integer({ min: 0, max: 11 }) }],
};

const fault = fc.oneof(
  ...Object.entries(faults).map(([kind, [weight, rest]]) => ({
    weight,
    arbitrary: fc.record({
      kind: fc.constant(kind),
      at: time(begins),
      ...rest,
    }) as unknown as fc.Arbitrary<Fault>,
  })),
);

const schedule: fc.Arbitrary<Omit<Schedule, 'seed'>> = fc.record({
  runs: fc.array(run, { minLength: 4, maxLength: 10 }),
  faults: fc
    .array(fault, { minLength: 1, maxLength: 4 })
    .map((list) => list.toSorted((left, right) => left.at - right.at)),
});

/** The same for the same seed, on every machine. */
export function scheduleOf(seed: number): Schedule {
  const [drawn] = fc.sample(fc.noBias(schedule), { seed, numRuns: 1 });
  if (drawn === undefined) throw new Error('the generator gave nothing');
  return { seed, ...drawn };
}
