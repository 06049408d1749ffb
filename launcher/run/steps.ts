// Runs the steps of a stage one after the other and learns from them what a plan would change. Steps that an earlier
// process has seen to their end are passed over, the one that it was in the middle of is followed.
import { posix } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { OutputPlace, RunWorld, StepSink } from '../executors/executor.js';
import { stepFailure } from './failure.js';
import type { Journal } from './journal.js';
import type { RunLimits } from './limits.js';
import type { Phase, PhaseStep, StackOutput } from './phase.js';
import type { AttemptRecord, OutputMark, Past } from './record.js';
import type { Recovered } from './spool.js';

/** Bytes of output that a step may give to be read: a plan of ten thousand resources has a tenth of it. */
const mostRead = 256 * 1024 * 1024;
const beginning: OutputPlace = { segment: 1, offset: 0 };

export interface StepsOptions {
  readonly phases: readonly Phase[];
  readonly world: RunWorld;
  readonly environment: Readonly<Record<string, string>>;
  /** Path below the files of the run; null for their top. */
  readonly projectRoot: string | null;
  readonly journal: Journal;
  readonly record: AttemptRecord;
  readonly past: Past;
  readonly recovered: Recovered;
  readonly limits: RunLimits;
  /** Gets what the stack has produced; the step counts as ended only after it. */
  readonly onOutputs: (outputs: readonly StackOutput[]) => Promise<void>;
  /** Whether scripts are written into the log. */
  readonly debug: boolean;
  readonly signal: AbortSignal;
}

/** Answers the changes of the last step that told them; null when none did. Throws what `stepFailure` gives. */
export async function runPhases(options: StepsOptions): Promise<Changes | null> {
  const { phases, journal, record, past, recovered, signal, world } = options;
  const entered = phases.findIndex(({ state }) => state === recovered.state);
  let { changes } = past;
  let number = 0;
  for (const [index, { state, steps }] of phases.entries()) {
    if (index > entered) journal.enter(state);
    else journal.stay(state);
    for (const step of steps) {
      number += 1;
      if (number <= past.ended) continue;
      // One that runs already is ended in order, by whoever follows it.
      if (number > past.started) signal.throwIfAborted();
      const told = await runStep(step, number, options);
      // The output first: a step that counts as ended is not followed again.
      await journal.settled();
      await record.append({ k: 'ended', step: number, changes: told ?? null });
      await world.forget(number);
      changes = told ?? changes;
    }
  }
  return changes;
}

/** How many steps a stage has. */
export function countSteps(phases: readonly Phase[]): number {
  return phases.reduce((sum, { steps }) => sum + steps.length, 0);
}

async function runStep(step: PhaseStep, number: number, options: StepsOptions): Promise<Changes | undefined> {
  const { world, environment, projectRoot, journal, record, past, debug, signal } = options;
  if (number > past.started) {
    if (debug) journal.line(`[${step.name}] ${step.script}`);
    await record.append({ k: 'step', step: number });
  }
  const isRead = step.readChanges !== undefined || step.readOutputs !== undefined;
  const read = isRead ? createCollector(options.limits) : undefined;
  const mark = options.recovered.mark?.step === number ? options.recovered.mark : null;
  const tail = createTail();
  if (read === undefined) journal.beginOutput(number, mark?.covered);
  const end = await world.run(
    {
      number,
      name: step.name,
      script: step.script,
      environment,
      workingDirectory: posix.join(world.projectDirectory, projectRoot ?? ''),
    },
    read?.sink ?? logSink(options, mark, tail),
    signal,
  );
  journal.endOutput();
  signal.throwIfAborted();
  const code = end.cause === 'exit' || end.cause === 'out-of-memory' ? end.exitCode : null;
  if (code === null || !(step.success ?? [0]).includes(code)) {
    // What a program said before it failed is what a person needs, also when it was meant to be read by us.
    if (read !== undefined) {
      journal.beginOutput(number);
      for (const { bytes, place } of read.parts) {
        journal.output(bytes, place);
        tail.add(bytes);
      }
      journal.endOutput();
    }
    throw stepFailure(step.name, end, tail.text(), world.user);
  }
  if (read?.complete === false) {
    throw new PoolwrightError(
      'COMMAND_FAILED',
      `The step ${step.name} printed more than can be read (${String(mostRead)} bytes).`,
    );
  }
  const text = Buffer.concat(read?.parts.map(({ bytes }) => bytes) ?? []).toString('utf8');
  if (step.readOutputs !== undefined) await options.onOutputs(step.readOutputs(text));
  return step.readChanges?.(text, code);
}

/** For output that goes to the log. */
function logSink(
  { journal, limits }: StepsOptions,
  mark: OutputMark | null,
  tail: ReturnType<typeof createTail>,
): StepSink {
  return {
    from: mark ?? beginning,
    output(bytes, place) {
      limits.heard();
      tail.add(bytes);
      journal.output(bytes, place);
    },
    settled: () => journal.settled(),
    needed: () => journal.needed(),
  };
}

/** For output that is read: kept whole, up to a bound. */
function createCollector(limits: RunLimits) {
  const parts: { readonly bytes: Uint8Array; readonly place: OutputPlace }[] = [];
  let size = 0;
  const sink: StepSink = {
    from: beginning,
    output(bytes, place) {
      limits.heard();
      size += bytes.byteLength;
      if (size <= mostRead) parts.push({ bytes: Uint8Array.from(bytes), place });
    },
    settled: () => Promise.resolve(),
    // It is read from its beginning again by whoever goes on.
    needed: () => (size <= mostRead ? 1 : Infinity),
  };
  return {
    sink,
    parts,
    get complete() {
      return size <= mostRead;
    },
  };
}

/** The end of what was printed: it often tells why. */
function createTail(): { add(bytes: Uint8Array): void; text(): string } {
  const most = 4096;
  let kept = Buffer.alloc(0);
  return {
    add(bytes) {
      kept = Buffer.concat([kept, bytes.subarray(-most)]).subarray(-most);
    },
    text: () => kept.toString('utf8'),
  };
}
