// Runs the steps of a stage one after the other and learns from them what a plan would change.
import { posix } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { RunWorld, StepEnd } from '../executors/executor.js';
import type { Journal } from './journal.js';
import type { RunLimits } from './limits.js';
import type { Phase, PhaseStep } from './phase.js';

/** Bytes of output that a step may give to `readChanges`: a plan of ten thousand resources has a tenth of it. */
const mostRead = 256 * 1024 * 1024;

export interface StepsOptions {
  readonly phases: readonly Phase[];
  readonly world: RunWorld;
  readonly environment: Readonly<Record<string, string>>;
  /** Path below the files of the run; null for their top. */
  readonly projectRoot: string | null;
  readonly journal: Journal;
  readonly limits: RunLimits;
  /** Whether scripts are written into the log. */
  readonly debug: boolean;
  readonly signal: AbortSignal;
}

/** Answers the changes of the last step that told them; null when none did. Throws COMMAND_FAILED. */
export async function runPhases(options: StepsOptions): Promise<Changes | null> {
  let changes: Changes | null = null;
  for (const { state, steps } of options.phases) {
    options.journal.enter(state);
    for (const step of steps) {
      options.signal.throwIfAborted();
      changes = (await runStep(step, options)) ?? changes;
    }
  }
  return changes;
}

async function runStep(step: PhaseStep, options: StepsOptions): Promise<Changes | undefined> {
  const { world, environment, projectRoot, journal, limits, debug, signal } = options;
  if (debug) journal.line(`[${step.name}] ${step.script}`);
  const read: Uint8Array[] = [];
  let size = 0;
  const end = await world.run(
    {
      name: step.name,
      script: step.script,
      environment,
      workingDirectory: posix.join(world.projectDirectory, projectRoot ?? ''),
    },
    (bytes) => {
      limits.heard();
      if (step.readChanges === undefined) {
        journal.output(bytes);
        return;
      }
      size += bytes.byteLength;
      if (size <= mostRead) read.push(bytes);
    },
    signal,
  );
  journal.endOutput();
  signal.throwIfAborted();
  const succeeded = end.exitCode !== null && (step.success ?? [0]).includes(end.exitCode);
  if (!succeeded) {
    // What a program said before it failed is what a person needs, also when it was meant to be read by us.
    for (const bytes of read) journal.output(bytes);
    journal.endOutput();
    throw failure(step, end);
  }
  if (size > mostRead) {
    throw new PoolwrightError(
      'COMMAND_FAILED',
      `The step ${step.name} printed more than can be read (${String(size)} bytes).`,
    );
  }
  return step.readChanges?.(Buffer.concat(read).toString('utf8'), end.exitCode);
}

function failure(step: PhaseStep, end: StepEnd): PoolwrightError {
  const how =
    end.cause === 'out-of-memory'
      ? 'was ended by the kernel because memory ran out. Use a larger machine or a smaller plan'
      : end.exitCode === null
        ? `was ended by ${end.signal ?? 'a signal'}${end.signal === 'SIGKILL' ? '; if nobody did that, memory ran out' : ''}`
        : `ended with exit code ${String(end.exitCode)}`;
  return new PoolwrightError(
    'COMMAND_FAILED',
    `The step ${step.name} ${how}. Its output is in the log above.`,
  );
}
