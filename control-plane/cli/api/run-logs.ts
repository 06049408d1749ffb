// The log of a run as a stream of events, from its first state to its last, by reading until it has ended.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import { workStateSchema, type RunState } from '../../../protocol/runs.js';
import type { ApiClient } from './client.js';
import { getRun, type RunWithHistory, type Transition } from './runs.js';

export type RunEvent =
  | { readonly kind: 'state'; readonly transition: Transition }
  /** `text` holds whole and broken lines just as the run printed them. */
  | { readonly kind: 'log'; readonly state: RunState; readonly text: string };

const logsSchema = z.object({
  exists: z.boolean(),
  finished: z.boolean(),
  hasMore: z.boolean(),
  nextToken: z.string().nullable(),
  messages: z.array(z.object({ message: z.string() })),
});

async function readLogs(
  client: ApiClient,
  place: { stack: string; run: string; transition: Transition; token: string | null },
): Promise<z.infer<typeof logsSchema>> {
  const { stack, run, transition, token } = place;
  const answer = await client.request(
    `query ($stack: ID!, $run: ID!, $state: RunState!, $token: String, $version: Int) {
      stack(id: $stack) { run(id: $run) { logs(state: $state, token: $token, stateVersion: $version) {
        exists finished hasMore nextToken messages { message }
      } } }
    }`,
    { stack, run, state: transition.state, token, version: transition.stateVersion },
    z.object({ stack: z.object({ run: z.object({ logs: logsSchema.nullable() }).nullable() }).nullable() }),
  );
  const logs = answer.stack?.run?.logs;
  if (logs === null || logs === undefined) {
    throw new PoolwrightError(
      'NOT_FOUND',
      `The log of run ${run} in state ${transition.state} is not there any more.`,
    );
  }
  return logs;
}

/** Milliseconds between two looks at a run: short while it talks, since one person watches one run. */
const shortestWait = 100;
const longestWait = 1_000;

/**
 * Events of a run in order. With `follow` the stream goes on until the run has reached a terminal state,
 * otherwise it ends where the log ends now. The value returned at the end is the run as last seen.
 * Aborting `signal` ends the stream with the abort error.
 */
export async function* runEvents(
  client: ApiClient,
  stack: string,
  runId: string,
  options: { readonly follow: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<RunEvent, RunWithHistory> {
  const { follow, signal } = options;
  let wait = shortestWait;
  const pause = async () => {
    await delay(wait, undefined, { signal }).catch(() => {
      // Only the signal ends a delay early; what it was aborted with says more than the timer's own error.
      signal?.throwIfAborted();
    });
    wait = Math.min(wait * 1.5, longestWait);
  };
  for (let told = 0; ;) {
    const run = await getRun(client, stack, runId);
    const history = run.history.toReversed();
    for (const transition of history.slice(told)) {
      told += 1;
      wait = shortestWait;
      yield { kind: 'state', transition };
      if (!isWorkState(transition.state)) continue;
      // A state that is over has all its lines; the newest one may still get some.
      let over = told < history.length || !follow;
      for (let token: string | null = null; ;) {
        const logs = await readLogs(client, { stack, run: runId, transition, token });
        token = logs.nextToken ?? token;
        for (const { message } of logs.messages)
          yield { kind: 'log', state: transition.state, text: message };
        if (logs.messages.length > 0) wait = shortestWait;
        if (logs.hasMore) continue;
        if (logs.finished || over) break;
        await pause();
        // One more reading after the state has ended: lines may have come between the two looks.
        over = (await getRun(client, stack, runId)).history.length > told;
      }
    }
    if (told >= run.history.length && (run.finished || !follow)) return run;
    if (told >= run.history.length) await pause();
  }
}

function isWorkState(state: RunState): boolean {
  return workStateSchema.safeParse(state).success;
}
