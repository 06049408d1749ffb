// The invariant of drains: a worker that is drained and idle starts nothing before it is undrained.
import type { Happened, Span } from './judge.js';
import type { Witnessed } from './work.js';

/** Runs that started on a worker which was drained and had none. */
export function startedWhileDrained(
  witnessed: readonly Witnessed[],
  happened: readonly Happened[],
): string[] {
  const begins = new Map<string, Witnessed>();
  for (const each of witnessed)
    if (each.world !== '' && !begins.has(each.world)) begins.set(each.world, each);
  return happened.flatMap((drain) => {
    const drained = drainedSpan(drain, happened);
    return [...begins.values()]
      .filter(({ world, at }) => drain.workers.has(world.split('.')[0] ?? '') && isWithin(at, drained))
      .map(
        ({ marker, world }) =>
          `${marker} started on worker ${world.split('.')[0] ?? ''}, which was drained and idle`,
      );
  });
}

/** Until it is undrained, or the end of another drain of the same worker undrains it. */
function drainedSpan(drain: Happened, happened: readonly Happened[]): Span | undefined {
  if (drain.idle === undefined) return undefined;
  const { from, to } = drain.idle;
  const others = happened.flatMap(({ undrained, workers }) =>
    undrained !== undefined && undrained.to > from && [...drain.workers].some((worker) => workers.has(worker))
      ? [undrained.from]
      : [],
  );
  return { from, to: Math.min(to, ...others) };
}

function isWithin(at: number | null, span: Span | undefined): boolean {
  return at !== null && span !== undefined && at > span.from && at < span.to;
}
