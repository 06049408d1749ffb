// The life of a run in one table: which state may follow which, how long a state may last, and what ends it then.
// The queue, the reconciler and the tests read this table, and docs/operating.md is written from it (`npm run run-states`).
import { workStates, type RunState, type RunType, type Stage } from '../../protocol/runs.js';
import { rhythm } from '../../protocol/limits.js';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** What happens to a run whose state lasts too long. `requeue`: it goes to another worker, see `requeuedState`. */
export type DeadlineEnd = 'requeue' | Extract<RunState, 'FAILED' | 'CANCELED' | 'DISCARDED'>;

export interface StateRule {
  /** States that may follow. */
  readonly next: readonly RunState[];
  /** Milliseconds until the deadline; null for states that are ends. */
  readonly lasts: number | null;
  readonly then: DeadlineEnd | null;
  /** Why the deadline ended it, for the run's history. */
  readonly because: string;
  /** What the state means, for people. */
  readonly means: string;
}

const end = { next: [], lasts: null, then: null, because: '' } as const;
const working = {
  lasts: day,
  then: 'FAILED',
  because: 'the worker did not finish within 24 hours',
} as const;

export const transitions: Readonly<Record<RunState, StateRule>> = {
  QUEUED: {
    next: ['READY', 'CANCELED'],
    lasts: 7 * day,
    then: 'CANCELED',
    because: 'no worker took it within 7 days',
    means: 'Waits for a worker of its pool.',
  },
  READY: {
    next: ['PREPARING', 'QUEUED', 'CANCELED', 'FAILED'],
    lasts: rhythm.acceptWithin,
    then: 'requeue',
    because: 'the worker did not accept it in time',
    means: 'Assigned to a worker that has not accepted it yet.',
  },
  PREPARING: {
    next: ['INITIALIZING', 'QUEUED', 'CANCELED', 'FAILED'],
    lasts: 30 * minute,
    then: 'requeue',
    because: 'the worker did not prepare it within 30 minutes',
    means: 'The worker fetches files and image. No command of the stack has run.',
  },
  INITIALIZING: {
    ...working,
    next: ['PLANNING', 'PERFORMING', 'DESTROYING', 'FINISHED', 'FAILED', 'STOPPED'],
    means: 'The tool is being initialised. From here on the run never moves to another worker.',
  },
  PLANNING: {
    ...working,
    next: ['UNCONFIRMED', 'FINISHED', 'FAILED', 'STOPPED'],
    means: 'The worker finds out what would change.',
  },
  UNCONFIRMED: {
    next: ['CONFIRMED', 'DISCARDED'],
    lasts: 30 * day,
    then: 'DISCARDED',
    because: 'nobody confirmed it within 30 days',
    means: 'Waits for a person to confirm or discard the plan.',
  },
  CONFIRMED: {
    next: ['APPLYING', 'FAILED', 'DISCARDED'],
    lasts: 7 * day,
    then: 'DISCARDED',
    because: 'no worker took it within 7 days',
    means: 'The plan is confirmed; waits for a worker of its pool, or for the worker to fetch the workspace.',
  },
  APPLYING: { ...working, next: ['FINISHED', 'FAILED', 'STOPPED'], means: 'The worker makes the changes.' },
  PERFORMING: { ...working, next: ['FINISHED', 'FAILED', 'STOPPED'], means: 'The worker runs a task.' },
  DESTROYING: {
    ...working,
    next: ['FINISHED', 'FAILED', 'STOPPED'],
    means: 'The worker removes what the stack manages.',
  },
  FINISHED: { ...end, means: 'Done.' },
  FAILED: { ...end, means: 'Ended by a fault; the run says which.' },
  STOPPED: { ...end, means: 'Ended on request after it had begun.' },
  CANCELED: { ...end, means: 'Ended before it began.' },
  DISCARDED: { ...end, means: 'Its plan was not applied.' },
};

/** A run that was told to stop and whose worker does not report the end within this is ended without it. */
export const stopWithin = 60 * second;

/** Assignments in a row that may end before the run begins; then it fails instead of going round for ever. */
export const unbegunAttemptsAllowed = 3;
/**
 * Up to this attempt of a run none counts that its worker gave back for a fault of its own, such as an engine that is being
 * started again: it gets no run before it says that it is able to.
 */
export const attemptsWithUnfitWorkers = 10;

export function mayFollow(from: RunState, to: RunState): boolean {
  return transitions[from].next.includes(to);
}

export function isEnd(state: RunState): boolean {
  return transitions[state].lasts === null;
}

/** Whether a worker has a run in this state; of CONFIRMED, which may wait for one, the answer is no. */
export function isHeld(state: RunState): boolean {
  return state === 'READY' || (workStates as readonly RunState[]).includes(state);
}

/** When a run that enters a state now must have left it; null for an end. */
export function deadlineOf(state: RunState, now: number): number | null {
  const { lasts } = transitions[state];
  return lasts === null ? null : now + lasts;
}

/** The state in which a stage waits for a worker. */
export function requeuedState(stage: Stage): 'QUEUED' | 'CONFIRMED' {
  return stage === 'APPLY' ? 'CONFIRMED' : 'QUEUED';
}

/** The state a stage enters when its worker may run the first command. */
export function begunState(stage: Stage): 'INITIALIZING' | 'APPLYING' {
  return stage === 'APPLY' ? 'APPLYING' : 'INITIALIZING';
}

/** What the first worker of a run is asked for. */
export function firstStage(type: RunType): Stage {
  switch (type) {
    case 'PROPOSED':
    case 'TRACKED':
    case 'TESTING':
      return 'PLAN';
    case 'TASK':
      return 'PERFORM';
    case 'DESTROY':
      return 'DESTROY';
  }
}

/** Runs that change things: of one stack, only one at a time leaves the queue. */
export const writeTypes: readonly RunType[] = ['TRACKED', 'TASK', 'DESTROY'];

export function isWrite(type: RunType): boolean {
  return writeTypes.includes(type);
}

export const endStates: readonly RunState[] = (Object.keys(transitions) as RunState[]).filter(isEnd);
