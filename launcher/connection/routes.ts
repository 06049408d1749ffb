// Which of the ways to the control plane are tried next: at first all, side by side; then the one that worked, alone,
// until it has failed for long.
import type { Clock } from '../clock.js';
import type { Transport } from './transport.js';

/** Milliseconds after which the way that worked is no longer tried alone. */
export const remembered = 30_000;

export interface Routes {
  /** In this order, each a moment after the one before. */
  next(): readonly Transport[];
  /** The control plane has answered on it. */
  worked(transport: Transport): void;
  /** Its line is gone. It goes last from now on when it never worked; a refusal on one way says nothing of the others. */
  gone(transport: Transport): void;
}

export function createRoutes(transports: readonly Transport[], clock: Pick<Clock, 'monotonic'>): Routes {
  let order = [...transports];
  let good: Transport | undefined;
  let goneSince: number | undefined;
  return {
    next() {
      if (good === undefined) return order;
      if (goneSince !== undefined && clock.monotonic() - goneSince > remembered) {
        good = undefined;
        return order;
      }
      return [good];
    },
    worked(transport) {
      good = transport;
      goneSince = undefined;
      order = [transport, ...order.filter((other) => other !== transport)];
    },
    gone(transport) {
      goneSince ??= clock.monotonic();
      if (transport !== good) order = [...order.filter((other) => other !== transport), transport];
    },
  };
}
