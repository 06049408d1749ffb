// Pages that follow what happens: a hint to look again, and the log of a run record by record.
import type { Context as HttpContext } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import type { WorkState } from '../../protocol/runs.js';
import type { LogRecord } from '../../protocol/worker-api.js';
import type { Context } from '../context.js';
import type { ControlPlaneEvent } from '../events.js';
import { getRun } from '../runs/runs.js';
import { isEnd } from '../runs/transitions.js';
import { formatCursor, parseCursor, type LogCursor, type LogStore } from '../store/logs.js';

/** Milliseconds: hints are not sent more often, and something is sent at least this often. */
const restFor = 250;
const beatEvery = 15_000;

/** Whether an event changes what a page shows. `view`: `pools`, `stacks`, `alarms`, `pool/<id>`, `stack/<id>` or `run/<id>`. */
export function concerns(view: string, event: ControlPlaneEvent): boolean {
  const [kind, id] = view.split('/');
  switch (kind) {
    case 'alarms':
      return event.kind === 'pool';
    case 'pools':
      return event.kind === 'pool' || event.kind === 'worker' || event.kind === 'run';
    case 'stacks':
      return event.kind === 'stack' || event.kind === 'run';
    case 'pool':
      return 'pool' in event && event.pool === id;
    case 'stack':
      return 'stack' in event && event.stack === id;
    case 'run':
      return event.kind === 'run' && event.run === id;
    case undefined:
    default:
      return false;
  }
}

/** Whether who looks may still see it: asked before anything is sent, as a key may be revoked meanwhile. */
export type StillSees = () => Promise<boolean>;

/** Waits for events of interest, or for the next beat, or for the end of the connection. */
function follow(context: Context, stream: SSEStreamingApi, interests: (event: ControlPlaneEvent) => boolean) {
  let pending = false;
  let wake: () => void = () => undefined;
  const unsubscribe = context.events.subscribe((event) => {
    if (!interests(event)) return;
    pending = true;
    wake();
  });
  stream.onAbort(() => {
    unsubscribe();
    wake();
  });
  return {
    /** True when something has happened, false for a beat, undefined when the connection has ended. */
    async next(): Promise<boolean | undefined> {
      if (!pending && !stream.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, beatEvery);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      const happened = pending;
      pending = false;
      return stream.aborted ? undefined : happened;
    },
    close: unsubscribe,
  };
}

/** Sends `changed` whenever the view may look different. */
export function liveView(c: HttpContext, context: Context, view: string, stillSees: StillSees): Response {
  return streamSSE(c, async (stream) => {
    const following = follow(context, stream, (event) => concerns(view, event));
    try {
      // The page was rendered a moment ago; what happened since is seen by looking once more.
      await stream.writeSSE({ event: 'changed', data: '' });
      for (;;) {
        const happened = await following.next();
        if (happened === undefined || !(await stillSees())) break;
        await stream.writeSSE({ event: happened ? 'changed' : 'beat', data: '' });
        await stream.sleep(restFor);
      }
    } finally {
      following.close();
    }
  });
}

/** Records of one phase that go out together: a million events of one line each would keep a browser busy. */
interface LogBatch {
  readonly attempt: number;
  readonly state: WorkState;
  last: LogCursor;
  characters: number;
  readonly records: [number, string][];
}

const largestBatch = { characters: 128 * 1024, records: 2000 } as const;

function continues(batch: LogBatch, attempt: number, { s }: LogRecord): boolean {
  const { characters, records } = largestBatch;
  if (batch.characters >= characters || batch.records.length >= records) return false;
  return batch.attempt === attempt && batch.state === s;
}

function eventOf({ attempt, state, last, records }: LogBatch): { id: string; data: string } {
  return { id: formatCursor(last), data: JSON.stringify({ attempt, state, records }) };
}

/** Sends the log from a place on, each part with its place, and `end` when the run has ended and all is sent. */
export function liveLog(
  c: HttpContext,
  context: Context,
  logs: LogStore,
  runId: string,
  stillSees: StillSees,
): Response {
  const from = c.req.header('last-event-id') ?? c.req.query('after');
  let cursor: LogCursor | undefined = from === undefined ? undefined : parseCursor(from);
  return streamSSE(c, async (stream) => {
    const following = follow(
      context,
      stream,
      (event) => (event.kind === 'log' || event.kind === 'run') && event.run === runId,
    );
    try {
      for (;;) {
        // Asked before the log is read: when the run had ended then, nothing comes after what is read now.
        const ended = isEnd((await getRun(context, runId)).state);
        let batch: LogBatch | undefined;
        for await (const { attempt, record } of logs.read(runId, cursor)) {
          cursor = { attempt, number: record.n };
          if (record.k !== 'log') continue;
          if (batch !== undefined && !continues(batch, attempt, record)) {
            await stream.writeSSE(eventOf(batch));
            batch = undefined;
          }
          batch ??= { attempt, state: record.s, last: cursor, characters: 0, records: [] };
          batch.records.push([record.t, record.m]);
          batch.characters += record.m.length;
          batch.last = cursor;
        }
        if (batch !== undefined) await stream.writeSSE(eventOf(batch));
        if (ended) {
          await stream.writeSSE({ event: 'end', data: '' });
          break;
        }
        const happened = await following.next();
        if (happened === undefined || !(await stillSees())) break;
        if (!happened) await stream.writeSSE({ event: 'beat', data: '' });
      }
    } finally {
      following.close();
    }
  });
}
