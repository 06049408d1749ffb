// A run's log as people read it: by the states the run went through. A visit is one stay in a state.
import { workStateSchema, type RunState, type WorkState } from '../../protocol/runs.js';
import type { LogRecord } from '../../protocol/worker-api.js';
import type { Context } from '../context.js';
import { formatCursor, parseCursor, type LogCursor, type LogStore } from '../store/logs.js';
import type { RunRow, TransitionRow } from '../store/schema.js';
import { runHistory } from './runs.js';
import { isEnd } from './transitions.js';

export interface Visit {
  readonly transition: TransitionRow;
  /** Which visit of this state it is, from 1. */
  readonly version: number;
}

export interface VisitLog {
  readonly exists: boolean;
  /** The state is over and every record of it was read. */
  readonly finished: boolean;
  readonly hasMore: boolean;
  /** Where to go on; null when nothing was read yet. */
  readonly next: string | null;
  readonly records: readonly LogRecord[];
}

/** Records and bytes of text given out at a time. */
export const logPage = { records: 2000, bytes: 1024 * 1024 } as const;

/** In order, oldest first. */
export async function runVisits(context: Pick<Context, 'db'>, run: string): Promise<Visit[]> {
  const counts = new Map<RunState, number>();
  return (await runHistory(context, run)).map((transition) => {
    const version = (counts.get(transition.state) ?? 0) + 1;
    counts.set(transition.state, version);
    return { transition, version };
  });
}

/** A worker that fetches a confirmed plan's workspace writes lines while the run is still CONFIRMED. */
export function hasLog(state: RunState): boolean {
  return state === 'CONFIRMED' || workStateSchema.safeParse(state).success;
}

/**
 * Log records of one visit after a token. `version` not given: the last visit of that state. The row must have
 * been read before: what it says of the state decides whether more can come. Throws INVALID_ARGUMENT for a token.
 */
export async function readVisit(
  context: Pick<Context, 'db'>,
  logs: LogStore,
  run: RunRow,
  place: { readonly state: RunState; readonly version?: number | null; readonly token?: string | null },
): Promise<VisitLog> {
  const after = place.token == null || place.token === '' ? undefined : parseCursor(place.token);
  const visits = await runVisits(context, run.id);
  const index = visits.findLastIndex(
    ({ transition, version }) =>
      transition.state === place.state && (place.version == null || version === place.version),
  );
  const visit = visits[index];
  if (visit === undefined || !hasLog(place.state)) {
    return { exists: false, finished: true, hasMore: false, next: null, records: [] };
  }
  const over = index < visits.length - 1 || isEnd(run.state);
  const records: LogRecord[] = [];
  let bytes = 0;
  let last: LogCursor | undefined = after;
  let hasMore = false;
  for await (const { attempt, record } of logs.read(run.id, after ?? firstOf(visit))) {
    if (pastOf(visit, attempt)) break;
    if (bytes >= logPage.bytes || records.length >= logPage.records) {
      hasMore = true;
      break;
    }
    last = { attempt, number: record.n };
    if (record.k !== 'log' || !belongs(visit, attempt, record.s)) continue;
    records.push(record);
    bytes += record.m.length;
  }
  return {
    exists: true,
    finished: over && !hasMore,
    hasMore,
    next: last === undefined ? null : formatCursor(last),
    records,
  };
}

/** Everything before cannot belong to the visit: it is of an earlier attempt. */
function firstOf({ transition: { state, attempt } }: Visit): LogCursor {
  return { attempt: state === 'CONFIRMED' ? attempt + 1 : attempt, number: 0 };
}

function pastOf({ transition: { state, attempt } }: Visit, of: number): boolean {
  return state !== 'CONFIRMED' && of > attempt;
}

function belongs({ transition }: Visit, attempt: number, state: WorkState): boolean {
  if (transition.state === 'CONFIRMED') return attempt > transition.attempt && state === 'PREPARING';
  return attempt === transition.attempt && state === transition.state;
}
