// What the runs of a round consist of, and what each must leave behind. Every step notes outside of its workspace that
// it was begun, and prints numbered lines: so what ran, how often, in which order and what came of its log is known
// without asking the programs under test.
import type { StackInput } from '../../../control-plane/cli/api/stacks.js';
import type { RunType } from '../../../protocol/runs.js';

/** The states in which steps run; each is entered once in the life of a run. */
export const workStates = ['INITIALIZING', 'PLANNING', 'APPLYING', 'PERFORMING', 'DESTROYING'] as const;
export type WorkingState = (typeof workStates)[number];

export interface PlannedStep {
  readonly lines: number;
  /** Milliseconds that it takes after its first line, besides printing. */
  readonly takes: number;
}

export interface PlannedRun {
  /** Milliseconds after the begin of the round. */
  readonly at: number;
  readonly type: Extract<RunType, 'PROPOSED' | 'TRACKED' | 'TASK' | 'DESTROY'>;
  readonly hook: PlannedStep | null;
  readonly steps: readonly PlannedStep[];
  /** Of a tracked run, which deploys by itself. */
  readonly apply: PlannedStep;
  /** Whether its last step ends with exit code 7. */
  readonly fails: boolean;
}

/** A step with its place and name. */
export interface ExpectedStep extends PlannedStep {
  readonly state: WorkingState;
  readonly name: string;
  readonly exitCode: number;
}

/** All steps of a run in order, up to the one that fails. */
export function stepsOf(run: PlannedRun): ExpectedStep[] {
  const steps: Omit<ExpectedStep, 'exitCode'>[] = [];
  const add = (state: WorkingState, name: string, step: PlannedStep) => steps.push({ ...step, state, name });
  if (run.hook !== null) add('INITIALIZING', 'hook', run.hook);
  const state = {
    PROPOSED: 'PLANNING',
    TRACKED: 'PLANNING',
    TASK: 'PERFORMING',
    DESTROY: 'DESTROYING',
  } as const;
  const main = run.type === 'TASK' ? run.steps.slice(0, 1) : run.steps;
  for (const [index, step] of main.entries()) add(state[run.type], `step${String(index)}`, step);
  if (run.type === 'TRACKED') add('APPLYING', 'apply', run.apply);
  return steps.map((step, index) => ({ ...step, exitCode: run.fails && index === steps.length - 1 ? 7 : 0 }));
}

/** What each step prints, in order. */
export function linesOf({ name, lines }: Pick<ExpectedStep, 'name' | 'lines'>): string[] {
  return Array.from({ length: lines }, (_, index) => `${name}:${String(index)}`);
}

/** A line of the witness: a step of a run has begun, in the world of this worker, at this time. */
export interface Witnessed {
  readonly marker: string;
  readonly step: string;
  /** `<worker>.<run>.<attempt>`; empty where the executor does not tell. */
  readonly world: string;
  /** Unix milliseconds; null where the runner's `date` has none. */
  readonly at: number | null;
}

export function readWitness(text: string): Witnessed[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [marker = '', step = '', time = '', world = ''] = line.split(' ');
      return { marker, step, world, at: /^\d{13}$/.test(time) ? Number(time) : null };
    });
}

/** `witness`: absolute path of the file; `marker` names the run in it. */
export function stackOf(run: PlannedRun, marker: string, witness: string): StackInput {
  const script = (step: ExpectedStep) => scriptOf(step, marker, witness);
  const of = (state: WorkingState) =>
    stepsOf(run)
      .filter((step) => step.state === state)
      .map(script);
  const keep = run.type === 'TRACKED';
  return {
    name: marker,
    tool: 'commands',
    autodeploy: true,
    beforeInit: of('INITIALIZING'),
    // A stack has to have some, also one that never plans.
    planCommands:
      run.type === 'TRACKED' ? [...of('PLANNING'), `echo ${marker} >kept`] : ['true', ...of('PLANNING')],
    applyCommands: keep ? [`[ "$(cat kept)" = ${marker} ]`, ...of('APPLYING')] : [],
    destroyCommands: of('DESTROYING'),
  };
}

/** The command of a task. */
export function taskOf(run: PlannedRun, marker: string, witness: string): string {
  const step = stepsOf(run).find(({ state }) => state === 'PERFORMING');
  return step === undefined ? 'true' : scriptOf(step, marker, witness);
}

/** Half of the lines come before the time that it takes, half after it. */
function scriptOf({ name, lines, takes, exitCode }: ExpectedStep, marker: string, witness: string): string {
  const half = Math.floor(lines / 2);
  const print = (from: number, to: number) =>
    `i=${String(from)}; while [ $i -lt ${String(to)} ]; do echo ${name}:$i; i=$((i+1)); done`;
  return [
    // One write, so that steps which run at the same time do not mix theirs.
    `echo "${marker} ${name} $(date +%s%3N) \${POOLWRIGHT_WORLD:-}" >>${witness}`,
    print(0, half),
    ...(takes === 0 ? [] : [`sleep ${(takes / 1000).toFixed(3)}`]),
    print(half, lines),
    `exit ${String(exitCode)}`,
  ].join('\n');
}
