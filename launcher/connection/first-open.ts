// Opens one line of several ways, side by side: the next one starts a moment after the one before, so that the first
// usually wins alone (as RFC 8305 does for addresses). Lines that lose are closed before anything was said on them.
import { messageOf } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Line, Transport } from './transport.js';

export interface Opened {
  readonly line: Line;
  readonly transport: Transport;
}

/** What is tried side by side. */
export interface Candidates {
  /** Best first. */
  readonly transports: readonly Transport[];
  /** Milliseconds by which each starts before the next one, unless it fails sooner. */
  readonly headStart: number;
}

/** Throws an error that says of every way why it failed, or the signal's reason. */
export function openFirst(
  { transports, headStart }: Candidates,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const losers = new AbortController();
    const reasons: (string | undefined)[] = transports.map(() => undefined);
    let started = 0;
    let failed = 0;
    let over = false;
    let cancelNext: () => void = () => undefined;

    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      cancelNext();
      signal.removeEventListener('abort', onAbort);
      settle();
      losers.abort(new Error('another way was faster'));
    };
    const onAbort = () => {
      finish(() => {
        reject(signal.reason as Error);
      });
    };
    signal.addEventListener('abort', onAbort, { once: true });

    function startNext(): void {
      cancelNext();
      const place = started;
      const transport = transports[place];
      if (transport === undefined) return;
      started += 1;
      if (started < transports.length) cancelNext = clock.after(headStart, startNext);
      transport.open(losers.signal).then(
        (line) => {
          if (over) line.close();
          else
            finish(() => {
              resolve({ line, transport });
            });
        },
        (error: unknown) => {
          reasons[place] = messageOf(error);
          failed += 1;
          if (failed === transports.length) {
            finish(() => {
              reject(new Error([...new Set(reasons)].join('; and '), { cause: error }));
            });
          } else if (!over) startNext();
        },
      );
    }

    if (signal.aborted) onAbort();
    else startNext();
  });
}
