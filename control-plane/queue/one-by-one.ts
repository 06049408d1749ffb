// Works on entries that have nothing to do with each other.
import type { Context } from '../context.js';

/** One entry that fails is logged, and found again by the next look; the others are not held up by it. */
export async function oneByOne<Entry>(
  context: Pick<Context, 'log'>,
  entries: Iterable<Entry>,
  work: (entry: Entry) => Promise<unknown>,
): Promise<void> {
  for (const entry of entries) {
    try {
      await work(entry);
    } catch (error) {
      context.log.error({ err: error, entry }, 'this entry could not be worked on; it will be repeated');
    }
  }
}
