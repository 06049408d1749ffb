// Which of the ways to the control plane are tried next: at first all, side by side; then the one that worked, alone,
// until it has failed for long.
import type { Clock } from '../clock.js';
import type { Candidates } from './first-open.js';
import type { Transport } from './transport.js';

/** Milliseconds after which the way that worked is no longer tried alone. */
export const remembered = 30_000;

/**
 * Milliseconds that each way starts before the next one, unless it fails sooner: a moment, and a longer one for the way
 * that worked when a launcher was here last.
 */
export const headStart = { usual: 300, known: 2_000 } as const;

export interface Routes {
  next(): Candidates;
  /** The control plane has answered on it. */
  worked(transport: Transport): void;
  /** Its line is gone. It goes last from now on when it never worked; a refusal on one way says nothing of the others. */
  gone(transport: Transport): void;
}

/** `known`: address of the way that worked before this process; it is the first one, once. */
export function createRoutes(
  transports: readonly Transport[],
  clock: Pick<Clock, 'monotonic'>,
  known: string | null = null,
): Routes {
  let hint = transports.find(({ address }) => address === known);
  let order = hint === undefined ? [...transports] : first(hint);
  let good: Transport | undefined;
  let goneSince: number | undefined;

  function first(transport: Transport): Transport[] {
    return [transport, ...transports.filter((other) => other !== transport)];
  }

  return {
    next() {
      if (good !== undefined && goneSince !== undefined && clock.monotonic() - goneSince > remembered)
        good = undefined;
      if (good !== undefined) return { transports: [good], headStart: headStart.usual };
      const wait = hint === undefined ? headStart.usual : headStart.known;
      hint = undefined;
      return { transports: order, headStart: wait };
    },
    worked(transport) {
      good = transport;
      goneSince = undefined;
      order = first(transport);
    },
    gone(transport) {
      goneSince ??= clock.monotonic();
      if (transport !== good) order = [...order.filter((other) => other !== transport), transport];
    },
  };
}
