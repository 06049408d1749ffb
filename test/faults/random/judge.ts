// The invariants of one run: what came of it, held against what it was to do and what happened to it meanwhile.
import type { RunState } from '../../../protocol/runs.js';
import type { Fault } from './schedule.js';
import { linesOf, type ExpectedStep, type Witnessed, type WorkingState } from './work.js';

/** A fault that was brought about. Times in Unix milliseconds. */
export interface Happened {
  readonly fault: Fault;
  readonly from: number;
  /** When its effect was over: whoever it hit was there again. */
  readonly to: number;
  /** Workers that it hit. */
  readonly workers: ReadonlySet<string>;
  /** The run that it was about. */
  readonly run?: string;
  /** While its worker, which was idle then, was drained: no run may start there. */
  readonly idle?: Span;
  /** While its worker was being undrained, be it drained by others, too. */
  readonly undrained?: Span;
}

/** By the clock of the suite, in Unix milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What is known of a run after its end. */
export interface Ended {
  readonly id: string;
  readonly marker: string;
  readonly steps: readonly ExpectedStep[];
  readonly state: RunState;
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** States in which nothing follows, in its history. */
  readonly ends: number;
  /** By the API's clock, in Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** Workers that it was given to, as its log names them. */
  readonly workers: ReadonlySet<string>;
  /** Its log by state. */
  readonly logs: Readonly<Partial<Record<WorkingState, string>>>;
  /** Its logs as they were read before, each with the state that it is of. */
  readonly earlier: readonly { readonly state: WorkingState; readonly text: string }[];
  /** In the order of the file. */
  readonly witnessed: readonly Witnessed[];
}

/** Milliseconds that a worker may be away before its run fails for it; less by what it takes to notice. */
const awayForLoss = 6_500;

/** Milliseconds that a launcher which is to stop at once tries to tell what became of its run; less by what it takes to try. */
const lastWordsWithin = 4_000;

/** A run fails when that many workers in a row did not get to its first command. */
const attemptsInVain = 3;

/** Everything that is wrong with it; empty when nothing is. */
export function judge(run: Ended, happened: readonly Happened[]): string[] {
  const touches = happened.filter((each) => touchesRun(each, run));
  return [...ofEnd(run), ...ofBeginnings(run), ...ofLogs(run), ...ofCause(run, touches)];
}

function touchesRun(
  { run, workers, from, to }: Happened,
  { id, workers: own, from: begun, to: ended }: Ended,
): boolean {
  if (run !== undefined) return run === id;
  return from <= ended && to >= begun && [...own].some((worker) => workers.has(worker));
}

function ofEnd({ ends, state }: Ended): string[] {
  return ends === 1 ? [] : [`it ended ${String(ends)} times (it is ${state}), expected once`];
}

/** No step begins twice, and steps begin in their order. */
function ofBeginnings({ steps, witnessed, state, failure }: Ended): string[] {
  const begun = witnessed.map(({ step }) => step);
  const expected = steps.map(({ name }) => name);
  const faults: string[] = [];
  for (const [index, name] of begun.entries())
    if (begun.indexOf(name) !== index) faults.push(`its step ${name} was begun again`);
  if (faults.length === 0 && begun.some((name, index) => name !== expected[index]))
    faults.push(`its steps were begun as ${begun.join(', ')}, expected the order ${expected.join(', ')}`);
  if (isAsPlanned(steps, state, failure) && begun.length !== expected.length)
    faults.push(
      `it is ${state}, and of its steps ${expected.join(', ')} only these began: ${begun.join(', ')}`,
    );
  return faults;
}

/** Every line is there once and in order, and what could be read before still stands there. */
function ofLogs({ steps, logs, earlier, state, failure }: Ended): string[] {
  const faults: string[] = [];
  const complete = isAsPlanned(steps, state, failure);
  for (const working of new Set(steps.map((step) => step.state))) {
    const printed = (logs[working] ?? '').split('\n').filter((line) => /^\w+:\d+$/.test(line));
    const expected = steps.filter((step) => step.state === working).flatMap(linesOf);
    const wrong = printed.findIndex((line, index) => line !== expected[index]);
    if (wrong !== -1) {
      const [found, wanted] = [printed[wrong] ?? '', expected[wrong] ?? 'the end'];
      faults.push(`line ${String(wrong + 1)} of its log in ${working} is ${found}, expected ${wanted}`);
    } else if (complete && printed.length !== expected.length) {
      const counts = `${String(printed.length)} of ${String(expected.length)}`;
      faults.push(`its log in ${working} has ${counts} lines`);
    }
  }
  for (const { state: working, text } of earlier) {
    if (!(logs[working] ?? '').startsWith(text))
      faults.push(
        `its log in ${working} once began with ${JSON.stringify(text.slice(-200))}, and no longer does`,
      );
  }
  return faults;
}

/** Whether it did what it was to do. */
function isAsPlanned(steps: readonly ExpectedStep[], state: RunState, failure: Ended['failure']): boolean {
  const code = steps.at(-1)?.exitCode ?? 0;
  if (code === 0) return state === 'FINISHED';
  return (
    state === 'FAILED' &&
    failure?.code === 'COMMAND_FAILED' &&
    failure.message.includes(`exit code ${String(code)}`)
  );
}

/** What was not planned has a cause among the faults that touched it, and says which. */
function ofCause(run: Ended, touches: readonly Happened[]): string[] {
  const { state, failure, steps } = run;
  if (isAsPlanned(steps, state, failure)) return [];
  const stoppedByUs = touches.some(({ fault }) => fault.kind === 'stop-run');
  const because = failure === null ? state : `${state} with ${failure.code} (${failure.message})`;
  const unexplained = [`it is ${because}, which no fault explains. ${explain(touches)}`];
  if (state === 'STOPPED' || state === 'CANCELED' || state === 'DISCARDED')
    return stoppedByUs ? [] : unexplained;
  if (state !== 'FAILED' || failure === null) return unexplained;
  const explained = causesOf(failure, run, touches);
  return explained ? [] : unexplained;
}

function causesOf(
  { code, message }: NonNullable<Ended['failure']>,
  run: Ended,
  touches: readonly Happened[],
): boolean {
  const { workers: own } = run;
  const has = (...kinds: readonly Fault['kind'][]) => touches.some(({ fault }) => kinds.includes(fault.kind));
  switch (code) {
    case 'WORKER_LOST':
      // One that is to stop at once has seconds for its last words; without them this is what is known.
      if (has('stop-launcher') && message.includes('the launcher got SIGTERM twice')) return true;
      return touches.some(mayLose) || endedUnheard(touches);
    case 'LAUNCHER_STOPPED':
      return has('stop-launcher');
    case 'RUN_INTERRUPTED':
      if (has('kill-run') || touches.some(endsContainers)) return true;
      // With live-restore an engine that ends leaves containers that run; one that is being started it takes along.
      return (
        has('end-engine') &&
        message.includes('ended from outside (exit code 137)') &&
        isBetweenContainers(run)
      );
    case 'DISK_FULL':
      return has('fill-disk');
    case 'ENGINE_UNAVAILABLE':
      // All launchers of the fleet have the same one: the next worker does no better.
      return has('kill-engine', 'end-engine');
    case 'COMMAND_FAILED':
      return /was ended by SIG/.test(message) && has('kill-run');
    case 'UNAVAILABLE':
      // It was given to that many workers in vain.
      if (has('stall')) return true;
      return (
        touches.reduce((sum, { workers }) => sum + [...own].filter((id) => workers.has(id)).length, 0) >=
        attemptsInVain
      );
    default:
      return false;
  }
}

/** Whether no step had begun in the container that it was to go on in: the apply has one of its own. */
function isBetweenContainers({ steps, witnessed }: Ended): boolean {
  const next = steps[witnessed.length];
  if (next === undefined) return false;
  const isApply = ({ state }: ExpectedStep) => state === 'APPLYING';
  return isApply(next) ? !steps.slice(0, witnessed.length).some(isApply) : witnessed.length === 0;
}

/** Whether containers ended with the engine. */
function endsContainers({ fault }: Happened): boolean {
  return (fault.kind === 'kill-engine' || fault.kind === 'end-engine') && !fault.keeps;
}

/** Whether the worker was away for so long that it counts as lost. */
function mayLose({ fault, from, to }: Happened): boolean {
  const away = to - from;
  if (fault.kind === 'lose-machine' || fault.kind === 'stall') return true;
  if (fault.kind === 'kill-launcher' || fault.kind === 'cut-line') return away >= awayForLoss;
  // The broker notices it later than the launcher does.
  return fault.kind === 'freeze-line' && away >= awayForLoss + 12_000;
}

/** Whether a launcher was to stop at once while there was no control plane to hear of it, for as long as it tries. */
function endedUnheard(touches: readonly Happened[]): boolean {
  const stops = touches.filter(({ fault }) => fault.kind === 'stop-launcher');
  return touches.some(
    ({ fault, from, to }) =>
      fault.kind === 'kill-control-plane' &&
      to - from >= lastWordsWithin &&
      stops.some((stop) => stop.from <= to && stop.to >= from),
  );
}

function explain(touches: readonly Happened[]): string {
  if (touches.length === 0) return 'No fault touched it.';
  const each = touches.map(({ fault, from, to }) => `${fault.kind} (over after ${String(to - from)} ms)`);
  return `Touched by: ${each.join(', ')}.`;
}
