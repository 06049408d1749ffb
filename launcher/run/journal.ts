// What a run says, on its way to the spool: masked, filed under the state it belongs to, in records of a fair size.
import type { WorkState } from '../../protocol/runs.js';
import type { Clock } from '../clock.js';
import type { OutputPlace } from '../executors/executor.js';
import { formsOf, maskersOf, type MakeMasker, type Masker } from './masks.js';
import type { OutputMark } from './record.js';
import type { Spool } from './spool.js';

export interface Journal {
  /** The state that is entered now; what is said from here on is filed under it. */
  enter(state: WorkState): void;
  /** The same for a state that an earlier process has entered. */
  stay(state: WorkState): void;
  /** From here on these values are masked. Not while a command prints. */
  hide(values: Iterable<string>): void;
  /** A line of the launcher itself. */
  line(text: string): void;
  /** A command begins to print; `covered`: as an earlier process left it (masks.ts). */
  beginOutput(step: number, covered?: number): void;
  /** Its output as it comes. `place`: where the bytes begin. */
  output(bytes: Uint8Array, place: OutputPlace): void;
  /** The command has ended: what was kept back is let out. */
  endOutput(): void;
  /** The first segment of the command's output that is not written into the spool whole. */
  needed(): number;
  /** Resolves when the spool has written what it was given. */
  settled(): Promise<void>;
  readonly state: WorkState;
}

/** Milliseconds that output is collected before it becomes a record; the first after a silence goes at once. */
const collectFor = 30;
/** Characters that are not collected any longer. */
const enough = 32 * 1024;

export function createJournal(options: {
  readonly spool: Pick<Spool, 'add' | 'settled' | 'mark'>;
  readonly clock: Clock;
  /** Also gets what goes to the spool, for a launcher that prints run logs. */
  readonly onText?: (text: string) => void;
}): Journal {
  const { spool, clock, onText } = options;
  let state: WorkState = 'PREPARING';
  const hidden = new Set<string>();
  let makeMasker: MakeMasker = maskersOf([]);
  let masker: Masker = makeMasker();
  let tracker: Tracker | undefined;
  let collected = '';
  let lastFlush = -Infinity;
  let cancelFlush: (() => void) | undefined;

  function flush(): void {
    cancelFlush?.();
    cancelFlush = undefined;
    if (collected === '') return;
    lastFlush = clock.monotonic();
    spool.add({ k: 'log', s: state, m: collected }, tracker?.mark(masker.pending));
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
    const once = makeMasker();
    return once.write(Buffer.from(text)) + once.end();
  }

  return {
    enter(next) {
      flush();
      state = next;
      spool.add({ k: 'state', s: next });
    },
    stay(next) {
      flush();
      state = next;
    },
    hide(values) {
      for (const value of values) hidden.add(value);
      makeMasker = maskersOf(formsOf(hidden));
    },
    line(text) {
      say(`${maskWhole(text)}\n`);
    },
    beginOutput(step, covered = 0) {
      masker = makeMasker(covered);
      tracker = createTracker(step);
    },
    output(bytes, place) {
      tracker?.came(bytes.byteLength, place);
      say(masker.write(bytes));
    },
    endOutput() {
      say(masker.end());
      flush();
    },
    needed: () => (spool.mark !== null && spool.mark.step === tracker?.step ? spool.mark.segment : 1),
    settled: () => spool.settled(),
    get state() {
      return state;
    },
  };
}

interface Tracker {
  readonly step: number;
  /** So many bytes have come, from this place on. */
  came(bytes: number, place: OutputPlace): void;
  /** The place of the first byte that is not out yet; null before anything has come. */
  mark(pending: Masker['pending']): OutputMark | null;
}

/** Tells where in a step's output the bytes are that the masker keeps back. */
function createTracker(step: number): Tracker {
  /** The chunks in which the bytes came that are not out, oldest first. */
  let chunks: { readonly bytes: number; readonly place: OutputPlace }[] = [];
  return {
    step,
    came(bytes, place) {
      chunks.push({ bytes, place });
    },
    mark({ bytes, covered }) {
      let back = bytes;
      for (let index = chunks.length - 1; index >= 0; index -= 1) {
        const chunk = chunks[index];
        if (chunk === undefined) break;
        if (back <= chunk.bytes) {
          chunks = chunks.slice(index);
          const { segment, offset } = chunk.place;
          return { step, segment, offset: offset + chunk.bytes - back, covered };
        }
        back -= chunk.bytes;
      }
      return null;
    },
  };
}
