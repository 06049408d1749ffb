// Whether this worker can take a run at all: looked at again and again, so that it says so before it is given one.
import { messageOf } from '../protocol/errors.js';
import type { Clock } from './clock.js';
import type { Log } from './log.js';

export interface Fitness {
  /** Why it cannot, for people; null when it can. */
  readonly fault: string | null;
  /** Looks now, as when a run could not be taken. Resolves when `fault` is what was found. */
  look(): Promise<void>;
  close(): void;
}

/** Milliseconds between two looks: while nothing is wrong, and while something is. */
const every = { fit: 10_000, unfit: 2_000 } as const;

/** `check` throws what keeps the worker from taking a run. `onChange` is called when that is another thing than before. */
export function watchFitness(options: {
  readonly check: () => Promise<void>;
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}): Fitness {
  const { check, onChange, clock, log } = options;
  let fault: string | null = null;
  let closed = false;
  let looking: Promise<void> | undefined;
  let cancel: () => void = () => undefined;

  async function lookOnce(): Promise<void> {
    cancel();
    const found = await check().then(
      () => null,
      (error: unknown) => messageOf(error),
    );
    if (closed) return;
    cancel = clock.after(found === null ? every.fit : every.unfit, () => void look());
    if ((found === null) !== (fault === null)) {
      if (found === null) log.info('Able to take runs again.');
      else log.error(`Not able to take a run: ${found}`);
    }
    const changed = found !== fault;
    fault = found;
    if (changed) onChange();
  }

  function look(): Promise<void> {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  return {
    get fault() {
      return fault;
    },
    look,
    close() {
      closed = true;
      cancel();
    },
  };
}
