// Looks again and again until a signal ends it; a look that fails is told, and waits longer each time.
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';

/** `look` answers the milliseconds until the next look. */
export async function repeat(
  options: {
    readonly clock: Clock;
    /** From 0 up to, not including, 1. */
    readonly random: () => number;
    readonly fault: (error: unknown) => void;
  },
  signal: AbortSignal,
  look: () => Promise<number>,
): Promise<void> {
  const backoff = createBackoff({ base: 2_000, ceiling: 30_000, random: options.random });
  const over = () => signal.aborted;
  while (!over()) {
    let wait: number;
    try {
      wait = await look();
      backoff.reset();
    } catch (error) {
      // Whoever ended it does not want to hear of what that broke.
      if (over()) return;
      options.fault(error);
      wait = backoff.next();
    }
    await sleep(options.clock, wait, signal);
  }
}
