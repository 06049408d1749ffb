// The database as TypeScript sees it: its tables, and their rows as they are read. Times are Unix milliseconds, ids
// ULIDs, jsonb columns checked when written.
import type { Selectable } from 'kysely';
import type {
  ApiKeysTable,
  AuditEntriesTable,
  BrowserSessionsTable,
  SecretsTable,
  SignInCodesTable,
  SpacesTable,
} from './access-tables.js';
import type {
  AlarmsTable,
  LauncherReleasesTable,
  LostWorkersTable,
  WorkerLinesTable,
  WorkerPoolsTable,
  WorkersTable,
} from './pool-tables.js';
import type {
  StackDependenciesTable,
  StackDependencyReferencesTable,
  StackOutputsTable,
  StackSchedulesTable,
  StackVariablesTable,
  StacksTable,
} from './stack-tables.js';
import type {
  LogAttemptsTable,
  LogChunksTable,
  PendingRunsTable,
  RunTransitionsTable,
  RunsTable,
  UploadsTable,
} from './run-tables.js';
import type { WebhookDeliveriesTable, WebhooksTable } from './webhook-tables.js';

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
  pending_runs: PendingRunsTable;
  uploads: UploadsTable;
  secrets: SecretsTable;
  sign_in_codes: SignInCodesTable;
  log_attempts: LogAttemptsTable;
  log_chunks: LogChunksTable;
  stack_dependencies: StackDependenciesTable;
  stack_dependency_references: StackDependencyReferencesTable;
  stack_outputs: StackOutputsTable;
  stack_schedules: StackSchedulesTable;
  alarms: AlarmsTable;
  spaces: SpacesTable;
  audit_entries: AuditEntriesTable;
  browser_sessions: BrowserSessionsTable;
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
