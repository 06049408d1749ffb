// The tables of stacks as TypeScript sees them: variables, dependencies, outputs, schedules.
import type { ColumnType, Selectable } from 'kysely';
import type { Hooks } from '../../protocol/messages.js';
import type { Tool } from '../../protocol/runs.js';
import type { Defaulted, Json } from './columns.js';
import type { RuntimeConfig } from './run-tables.js';

export interface StacksTable {
  id: string;
  name: string;
  description: string;
  labels: Json<readonly string[]>;
  space: string;
  pool_id: string | null;
  tool: Tool;
  repository: string | null;
  branch: string;
  project_root: string | null;
  runner_image: string | null;
  autodeploy: boolean;
  administrative: boolean;
  disabled: boolean;
  locked_by: string | null;
  lock_note: Defaulted<string | null>;
  locked_at: Defaulted<number | null>;
  /** The turn that its newest run got, see runs/turns.ts. */
  turn: Defaulted<number>;
  hooks: Json<Hooks>;
  /** Only for the tool `commands`. */
  commands: Json<StackCommands>;
  created_at: number;
  updated_at: number;
  /** How often to look for drift; null: not. */
  drift_detection: ColumnType<DriftDetection | null, string | null | undefined, string | null>;
  /** When to look next. */
  drift_next_at: Defaulted<number | null>;
}

export interface DriftDetection {
  /** Minutes between two looks. */
  readonly every: number;
  /** A tracked run follows where something has drifted. */
  readonly reconcile: boolean;
}

export interface StackCommands {
  readonly plan: string[];
  readonly apply: string[];
  readonly destroy: string[];
}

export interface StackVariablesTable {
  stack_id: string;
  name: string;
  kind: 'plain' | 'sealed';
  /** Text, or base64 of sealed bytes. */
  value: string;
  /** Public key (PEM) that a sealed value is for; when the pool has another one, it must be entered anew. */
  sealed_for: string | null;
  created_at: number;
}

/** `stack_id` waits for `depends_on`. */
export interface StackDependenciesTable {
  id: string;
  stack_id: string;
  depends_on: string;
  created_at: number;
}

/** An output of `depends_on` becomes a variable of the stack. */
export interface StackDependencyReferencesTable {
  id: string;
  dependency_id: string;
  output_name: string;
  input_name: string;
  created_at: number;
}

export interface StackOutputsTable {
  stack_id: string;
  name: string;
  /** `withheld`: sensitive, and its worker may not report it. */
  kind: 'plain' | 'sealed' | 'withheld';
  /** Text, or base64 of sealed bytes. */
  value: string | null;
  /** Public key (PEM) that a sealed value is for. */
  sealed_for: string | null;
  /** The run that reported it. */
  run_id: string;
  created_at: number;
}

/** When runs of a stack start by themselves. */
export interface StackSchedulesTable {
  id: string;
  stack_id: string;
  kind: 'run' | 'task';
  /** Empty: it has none. */
  name: string;
  /** Only of a task. */
  command: string | null;
  /** Expressions of which each names times; empty for one that has `at`. */
  cron: Json<readonly string[]>;
  /** The one that the expressions are of. */
  timezone: string;
  /** The only time. */
  at: number | null;
  runtime_config: Json<RuntimeConfig>;
  /** When it starts something next; null: never again. */
  next_at: number | null;
  created_at: number;
  updated_at: number;
  created_by: string | null;
  /** When its time came last. */
  last_at: Defaulted<number | null>;
  /** What that led to, in words. */
  last_outcome: Defaulted<string | null>;
  /** The run that it started last, which may be gone. */
  last_run: Defaulted<string | null>;
}

export type ScheduleRow = Selectable<StackSchedulesTable>;
