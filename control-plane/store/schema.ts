// The tables as TypeScript sees them. Times are Unix milliseconds, ids ULIDs, jsonb columns checked when written.
import type { ColumnType, Selectable } from 'kysely';
import type { Hooks } from '../../protocol/messages.js';
import type { RunState, RunType, Stage, Tool } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { WebhookDeliveriesTable, WebhooksTable } from './webhook-tables.js';

/**
 * The public pool: runs of stacks without a pool of their own go there. Its row is made by a migration, so its id
 * is the same everywhere.
 */
export const publicPoolId = '00000000000000000000000001';

/** jsonb: read as a value, written as JSON text. */
type Json<T> = ColumnType<T, string, string>;
/** Has a default, so an insert need not name it. */
type Defaulted<T> = ColumnType<T, T | undefined, T>;

export interface ApiKeysTable {
  id: string;
  name: string;
  /** Hash of the secret, see access/api-keys.ts. */
  secret_hash: string;
  role: 'administrator' | 'operator' | 'reader';
  created_at: number;
  revoked_at: number | null;
  /** Where its role counts, with all spaces below. */
  spaces: ColumnType<readonly string[], string | undefined, string>;
  /** Name of the key that made it. */
  created_by: Defaulted<string | null>;
  expires_at: Defaulted<number | null>;
  /** Changed when its sessions are ended; tokens carry what it was when they were issued. */
  sessions_from: Defaulted<number>;
  /** Of a person who signs in elsewhere: issuer and subject there. Such a row has no secret. */
  subject: Defaulted<string | null>;
}

export interface SpacesTable {
  id: string;
  name: string;
  description: string;
  /** Null for `root` only. */
  parent: string | null;
  created_at: number;
  updated_at: number;
}

export interface AuditEntriesTable {
  id: string;
  at: number;
  key_id: string;
  /** Name of the key. */
  username: string;
  address: string | null;
  action: string;
  resource_type: string;
  resource_id: string;
  /** Null: for administrators only. */
  space: string | null;
  before: ColumnType<unknown, string | null, never>;
  after: ColumnType<unknown, string | null, never>;
}

export interface WorkerPoolsTable {
  id: string;
  name: string;
  description: string;
  labels: Json<readonly string[]>;
  space: string;
  drift_detection_run_limit: number | null;
  managed_by_k8s_controller: boolean;
  /** PEM of the certificate in force, its serial number (hexadecimal) and the public key in it (PEM, SPKI). */
  certificate: string;
  certificate_serial: string;
  public_key: string;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
  /** True for the one with `publicPoolId`. */
  public: ColumnType<boolean, boolean | undefined, never>;
  /** How far the queue has come, see runs/turns.ts. */
  turn: Defaulted<number>;
  /** When a worker went last and left it without any; null before that. */
  workers_gone_at: Defaulted<number | null>;
}

export interface WorkersTable {
  id: string;
  pool_id: string;
  /** Of the last registration; messages to the worker carry it. */
  session: string;
  /** Of the certificate the worker registered with; null when the broker does not tell. */
  certificate_serial: string | null;
  metadata: Json<Readonly<Record<string, string>>>;
  version: string;
  executor: 'docker' | 'host' | 'pod';
  connected: boolean;
  leaving: boolean;
  drained: boolean;
  /**
   * The run it was given last and has not let go of: it is given no other one meanwhile. The run itself may have
   * ended or be with another worker already; whether it is this worker's, `runs.worker_id` says.
   */
  run_id: string | null;
  created_at: number;
  /** Since when it has had nothing to do. */
  available_at: number;
  last_contact_at: number;
  /** Out of contact: when it counts as lost. */
  lost_at: number | null;
  /** Since when it has had its run. */
  busy_since: Defaulted<number | null>;
  /** Why it takes no run now, as it says itself; null when it does. */
  unavailable: Defaulted<string | null>;
  /** Of a launcher that takes releases: what it said of them when it registered. */
  updates: ColumnType<WorkerUpdates | null, string | null | undefined, string | null>;
  /** The shared line that it has registered on; null for a line of its own. */
  line: Defaulted<string | null>;
}

/** A line that several workers share: what is heard of it is a sign of life of them all. The id is new for each connect. */
export type WorkerLinesTable = Pick<WorkersTable, 'id' | 'pool_id' | 'last_contact_at'>;

export interface WorkerUpdates {
  /** Version of the launcher as it was deployed. */
  readonly base: string;
  readonly failed: { readonly version: string; readonly reason: string } | null;
}

/** A launcher for the workers of a pool; the bundle is the object with its id. */
export interface LauncherReleasesTable {
  id: string;
  pool_id: string;
  /** As it was signed, and by whom the workers find out. */
  payload: string;
  signature: string;
  /** Milliseconds within which workers begin to take it. */
  within_ms: number;
  published_by: string;
  created_at: number;
  /** Since when the bundle is there. */
  completed_at: number | null;
  withdrawn_at: number | null;
}

/** Workers that were lost and may come back: what people decided about them still counts then. */
export interface LostWorkersTable {
  id: string;
  pool_id: string;
  drained: boolean;
  lost_at: number;
}

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
  /** Since when it has waited for a worker; orders the queue within a priority. */
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
}

export interface UploadsTable {
  id: string;
  stack_id: string;
  requested_by: string;
  created_at: number;
  /** When the bytes were complete; the sealed object has the upload's id. */
  completed_at: number | null;
}

/** Secrets of the control plane itself, when several processes share them. */
export interface SecretsTable {
  name: string;
  value: string;
  created_at: number;
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

/** `stack_id` waits for `depends_on`. */
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

export interface StackDependenciesTable {
  id: string;
  stack_id: string;
  depends_on: string;
  created_at: number;
}

/** Noticed by the control plane, for a person to look at. */
export interface AlarmsTable {
  id: string;
  pool_id: string;
  kind: 'MASS_LOSS';
  message: string;
  raised_at: number;
  cleared_at: number | null;
}

export interface Database {
  api_keys: ApiKeysTable;
  worker_pools: WorkerPoolsTable;
  workers: WorkersTable;
  worker_lines: WorkerLinesTable;
  lost_workers: LostWorkersTable;
  stacks: StacksTable;
  stack_variables: StackVariablesTable;
  runs: RunsTable;
  run_transitions: RunTransitionsTable;
  uploads: UploadsTable;
  secrets: SecretsTable;
  log_attempts: LogAttemptsTable;
  log_chunks: LogChunksTable;
  stack_dependencies: StackDependenciesTable;
  stack_dependency_references: StackDependencyReferencesTable;
  stack_outputs: StackOutputsTable;
  alarms: AlarmsTable;
  spaces: SpacesTable;
  audit_entries: AuditEntriesTable;
  launcher_releases: LauncherReleasesTable;
  webhooks: WebhooksTable;
  webhook_deliveries: WebhookDeliveriesTable;
  schema_migrations: { number: number; applied_at: number };
}

export type PoolRow = Selectable<WorkerPoolsTable>;
export type WorkerRow = Selectable<WorkersTable>;
export type ReleaseRow = Selectable<LauncherReleasesTable>;
export type StackRow = Selectable<StacksTable>;
export type VariableRow = Selectable<StackVariablesTable>;
export type RunRow = Selectable<RunsTable>;
export type ApiKeyRow = Selectable<ApiKeysTable>;
export type SpaceRow = Selectable<SpacesTable>;
export type AuditRow = Selectable<AuditEntriesTable>;
export type AlarmRow = Selectable<AlarmsTable>;
export type DependencyRow = Selectable<StackDependenciesTable>;
export type ReferenceRow = Selectable<StackDependencyReferencesTable>;
export type OutputRow = Selectable<StackOutputsTable>;
export type TransitionRow = Selectable<RunTransitionsTable>;
