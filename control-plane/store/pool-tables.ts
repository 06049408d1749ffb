// The tables of pools and of what belongs to them as TypeScript sees them: workers, launcher releases, alarms.
import type { ColumnType } from 'kysely';
import type { Defaulted, Json } from './columns.js';

/**
 * The public pool: runs of stacks without a pool of their own go there. Its row is made by a migration, so its id
 * is the same everywhere.
 */
export const publicPoolId = '00000000000000000000000001';

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

/** Noticed by the control plane, for a person to look at. */
export interface AlarmsTable {
  id: string;
  pool_id: string;
  kind: 'MASS_LOSS';
  message: string;
  raised_at: number;
  cleared_at: number | null;
}
