// What a run says, on its way to the spool: masked, filed under the state it belongs to, in records of a fair size.
import type { WorkState } from '../../protocol/runs.js';
import type { Clock } from '../clock.js';
import { createMasker, formsOf, type Masker } from './masks.js';
import type { Spool } from './spool.js';

export interface Journal {
  /** The state that is entered now; what is said from here on is filed under it. */
  enter(state: WorkState): void;
  /** From here on these values are masked. */
  hide(values: Iterable<string>): void;
  /** A line of the launcher itself. */
  line(text: string): void;
  /** Output of a command, as it comes. */
  output(bytes: Uint8Array): void;
  /** The command has ended: what was kept back is let out. */
  endOutput(): void;
  readonly state: WorkState;
}

/** Milliseconds that output is collected before it becomes a record; the first after a silence goes at once. */
const collectFor = 30;
/** Characters that are not collected any longer. */
const enough = 32 * 1024;

export function createJournal(options: {
  readonly spool: Spool;
  readonly clock: Clock;
  /** Also gets what goes to the spool, for a launcher that prints run logs. */
  readonly onText?: (text: string) => void;
}): Journal {
  const { spool, clock, onText } = options;
  let state: WorkState = 'PREPARING';
  const hidden = new Set<string>();
  let masker: Masker = createMasker([]);
  let collected = '';
  let lastFlush = -Infinity;
  let cancelFlush: (() => void) | undefined;

  function flush(): void {
    cancelFlush?.();
    cancelFlush = undefined;
    if (collected === '') return;
    lastFlush = clock.monotonic();
    spool.add({ k: 'log', s: state, m: collected });
    onText?.(collected);
    collected = '';
  }

  function say(text: string): void {
    if (text === '') return;
    collected += text;
    if (collected.length >= enough || clock.monotonic() - lastFlush >= collectFor) flush();
    else cancelFlush ??= clock.after(collectFor, flush);
  }

  function maskWhole(text: string): string {
    const once = createMasker(formsOf(hidden));
    return once.write(Buffer.from(text)) + once.end();
  }

  return {
    enter(next) {
      flush();
      state = next;
      spool.add({ k: 'state', s: next });
    },
    hide(values) {
      say(masker.end());
      for (const value of values) hidden.add(value);
      masker = createMasker(formsOf(hidden));
    },
    line(text) {
      say(`${maskWhole(text)}\n`);
    },
    output(bytes) {
      say(masker.write(bytes));
    },
    endOutput() {
      say(masker.end());
      flush();
    },
    get state() {
      return state;
    },
  };
}
