// The tables of runs as TypeScript sees them: their history, uploads, and logs that several processes share.
import type { RunState, RunType, Stage } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { Defaulted, Json } from './columns.js';

export interface RunsTable {
  id: string;
  stack_id: string;
  pool_id: string;
  type: RunType;
  state: RunState;
  /** What is asked of the next worker. */
  stage: Stage;
  /** Of the last assignment; 0 before the first. */
  attempt: number;
  /** The worker that holds it, as long as one does. */
  worker_id: string | null;
  /** Granted to the worker of this attempt: commands may have run. */
  begun: boolean;
  /** How many assignments in a row ended before the run began. */
  unbegun_attempts: number;
  title: string;
  created_at: number;
  updated_at: number;
  /** Orders the queue within a turn; of an apply it is when the run was made. */
  queued_at: number;
  /** When the state ends by itself, see runs/transitions.ts. */
  deadline_at: number | null;
  priority: number;
  branch: string | null;
  commit_sha: string | null;
  task: string | null;
  /** The uploaded archive it runs, sealed. */
  archive_object: string | null;
  /** What the stage before left, sealed. */
  workspace_object: string | null;
  /** Number of the last record of this attempt that changed the run. */
  applied_number: number;
  changes: Json<Changes> | null;
  failure_code: string | null;
  failure_message: string | null;
  requested_by: string;
  stop_requested_at: number | null;
  stop_note: string | null;
  runtime_config: Json<RuntimeConfig>;
  /** Orders the queue within a priority, fairly between stacks, see runs/turns.ts. */
  turn: Defaulted<number>;
  /**
   * Since when it has waited for the worker that it was or will be given, as QUEUED or CONFIRMED; null where it was left
   * by a program that did not keep it.
   */
  waiting_since: Defaulted<number | null>;
  /** Why it may not leave the queue now, see runs/holds.ts; null when it may. */
  hold: Defaulted<Hold | null>;
  /** Made by the schedule to find drift. */
  drift: Defaulted<boolean>;
  /** Its plan needs nobody to confirm it. */
  force_apply: Defaulted<'SINGLE' | 'CASCADE' | null>;
  /** Of a task: without the tool's initialisation. */
  skip_initialization: Defaulted<boolean>;
  /** The run that this one repeats, promotes or follows. */
  origin: Defaulted<string | null>;
}

/** `STACK`: behind another run of its stack. */
export type Hold = 'STACK' | 'DEPENDENCY' | 'LOCKED' | 'DISABLED';

/** What a trigger may override for one run. */
export interface RuntimeConfig {
  readonly runnerImage?: string | undefined;
  readonly projectRoot?: string | undefined;
  readonly environment?: readonly { readonly name: string; readonly value: string }[] | undefined;
}

export interface RunTransitionsTable {
  run_id: string;
  /** 1, 2, … within the run. */
  number: number;
  state: RunState;
  at: number;
  note: string | null;
  username: string | null;
  worker_id: string | null;
  /** Of the run when it entered the state: tells which log records belong to this visit. */
  attempt: number;
  /** Of READY, and of APPLYING, where there was no READY: how many milliseconds it had waited for this worker. */
  waited: Defaulted<number | null>;
  /** Where a worker has let go of it: since when it had had it. */
  held_since: Defaulted<number | null>;
}

/** A change of the number of runs that could start if a worker were idle, see queue/pending.ts. */
export interface PendingRunsTable {
  pool_id: string;
  stack_id: string;
  change: number;
}

export interface UploadsTable {
  id: string;
  stack_id: string;
  requested_by: string;
  created_at: number;
  /** When the bytes were complete; the sealed object has the upload's id. */
  completed_at: number | null;
}

/** The log of an attempt at a run, where several processes share logs. */
export interface LogAttemptsTable {
  run_id: string;
  attempt: number;
  /** Of the last durable record. */
  last_number: number;
  /** Of all records. */
  bytes: number;
  /** The last text that is not blank. */
  last_text: string | null;
  begun_at: number;
  updated_at: number;
}

/** Consecutive records of an attempt. */
export interface LogChunksTable {
  run_id: string;
  attempt: number;
  first_number: number;
  last_number: number;
  bytes: number;
  /** One record a line; null when they are in the object. */
  records: string | null;
  object: string | null;
}
