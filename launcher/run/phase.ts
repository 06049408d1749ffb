// What a stage of a run consists of: states that the worker goes through, and the steps in each.
import type { WorkState } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';

export interface PhaseStep {
  readonly name: string;
  /** For `/bin/sh -e -c`, in the project root. */
  readonly script: string;
  /** Exit codes that are a success. Default: only 0. */
  readonly success?: readonly number[];
  /**
   * When it is there, the output goes here instead of the log, and the result is what the plan would change.
   * Also called with the exit code. May throw COMMAND_FAILED.
   */
  readonly readChanges?: (output: string, exitCode: number) => Changes;
  /**
   * The same for a step that prints what the stack has produced. May throw COMMAND_FAILED.
   */
  readonly readOutputs?: (output: string) => readonly StackOutput[];
}

/** What a stack has produced, for stacks that depend on it. */
export interface StackOutput {
  readonly name: string;
  /** A text as it is, anything else as JSON. */
  readonly text: string;
  readonly sensitive: boolean;
}

export interface Phase {
  readonly state: WorkState;
  readonly steps: readonly PhaseStep[];
}
