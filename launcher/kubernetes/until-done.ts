// Tries a step at the API server again until it is done: the API server may be away for minutes.
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { KubeError } from './api.js';

/** Tries after which a refusal counts as the last word. */
const refusals = 20;

/** `what`: whose step it is, for the log; `run`: its ULID. Throws what the API server refuses again and again. */
export async function untilDone<Answer>(
  options: {
    readonly what: string;
    readonly run: string;
    readonly clock: Clock;
    readonly random: () => number;
    readonly log: Log;
  },
  step: () => Promise<Answer>,
): Promise<Answer> {
  const { what, run, clock, random, log } = options;
  const backoff = createBackoff({ base: 500, ceiling: 10_000, random });
  for (let count = 1; ; count += 1) {
    try {
      return await step();
    } catch (error) {
      if (error instanceof KubeError && error.status >= 400 && error.status < 500 && count >= refusals)
        throw error;
      if (count === 1) log.warn(`${what}: ${messageOf(error)}. Trying again.`, { run });
      await sleep(clock, 100 + backoff.next());
    }
  }
}
