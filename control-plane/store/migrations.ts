// The steps that bring a database from any earlier version to this one. Forward only: a step that has been
// released is never edited, a change is a new step at the end. All statements are plain PostgreSQL.
import { sql, type Kysely, type Transaction } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { accessStatements } from './migrations/access.js';
import { claimsStatements } from './migrations/claims.js';
import { figuresStatements } from './migrations/figures.js';
import { linesStatements } from './migrations/lines.js';
import { outputsStatements } from './migrations/outputs.js';
import { peopleStatements } from './migrations/people.js';
import { positionsStatements } from './migrations/positions.js';
import { queueStatements } from './migrations/queue.js';
import { scheduleStatements } from './migrations/schedules.js';
import { sessionsStatements } from './migrations/sessions.js';
import { viewsStatements } from './migrations/views.js';
import { watchStatements } from './migrations/watch.js';
import { releaseStatements } from './migrations/releases.js';
import { sharedStatements } from './migrations/shared.js';
import { waitsStatements } from './migrations/waits.js';
import { webhookStatements } from './migrations/webhooks.js';
import { signInStatements } from './migrations/sign-in.js';
import { workersStatements } from './migrations/workers.js';
import type { Database } from './schema.js';

interface Migration {
  readonly number: number;
  readonly statements: readonly string[];
}

const migrations: readonly Migration[] = [
  {
    number: 1,
    statements: [
      `create table api_keys (
        id text primary key,
        name text not null,
        secret_hash text not null,
        role text not null check (role in ('administrator', 'operator', 'reader')),
        created_at bigint not null,
        revoked_at bigint
      )`,
      `create table worker_pools (
        id text primary key,
        name text not null,
        description text not null,
        labels jsonb not null,
        space text not null,
        drift_detection_run_limit integer,
        managed_by_k8s_controller boolean not null,
        certificate text not null,
        certificate_serial text not null,
        public_key text not null,
        created_at bigint not null,
        updated_at bigint not null,
        deleted_at bigint
      )`,
      'create unique index worker_pools_name on worker_pools (name) where deleted_at is null',
      `create table workers (
        id text primary key,
        pool_id text not null references worker_pools,
        session text not null,
        certificate_serial text,
        metadata jsonb not null,
        version text not null,
        executor text not null,
        connected boolean not null,
        leaving boolean not null,
        drained boolean not null,
        run_id text,
        created_at bigint not null,
        available_at bigint not null,
        last_contact_at bigint not null,
        lost_at bigint
      )`,
      `create index workers_idle on workers (pool_id, available_at)
        where connected and not leaving and not drained and run_id is null`,
      'create index workers_lost on workers (lost_at) where lost_at is not null',
      `create table stacks (
        id text primary key,
        name text not null,
        description text not null,
        labels jsonb not null,
        space text not null,
        pool_id text references worker_pools,
        tool text not null,
        repository text,
        branch text not null,
        project_root text,
        runner_image text,
        autodeploy boolean not null,
        administrative boolean not null,
        disabled boolean not null,
        locked_by text,
        hooks jsonb not null,
        commands jsonb not null,
        created_at bigint not null,
        updated_at bigint not null
      )`,
      `create table stack_variables (
        stack_id text not null references stacks on delete cascade,
        name text not null,
        kind text not null check (kind in ('plain', 'sealed')),
        value text not null,
        sealed_for text,
        created_at bigint not null,
        primary key (stack_id, name)
      )`,
      `create table runs (
        id text primary key,
        stack_id text not null references stacks on delete cascade,
        pool_id text not null references worker_pools,
        type text not null,
        state text not null,
        stage text not null,
        attempt integer not null,
        worker_id text,
        begun boolean not null,
        unbegun_attempts integer not null,
        title text not null,
        created_at bigint not null,
        updated_at bigint not null,
        queued_at bigint not null,
        deadline_at bigint,
        priority integer not null,
        branch text,
        commit_sha text,
        task text,
        archive_object text,
        workspace_object text,
        applied_number integer not null,
        changes jsonb,
        failure_code text,
        failure_message text,
        requested_by text not null,
        stop_requested_at bigint,
        stop_note text,
        runtime_config jsonb not null
      )`,
      `create index runs_queue on runs (pool_id, priority desc, queued_at, id)
        where worker_id is null and state in ('QUEUED', 'CONFIRMED')`,
      'create index runs_deadline on runs (deadline_at) where deadline_at is not null',
      'create index runs_stack on runs (stack_id, id desc)',
      // A run is with one worker and a worker has one run. (A worker that still cleans up names its last run, too.)
      'create unique index runs_worker on runs (worker_id) where worker_id is not null',
      // Holds what the queue also checks: of one stack, one run at a time may change things.
      `create unique index runs_one_write_per_stack on runs (stack_id)
        where type in ('TRACKED', 'DESTROY', 'TASK')
          and state not in ('QUEUED', 'FINISHED', 'FAILED', 'STOPPED', 'CANCELED', 'DISCARDED')`,
      `create table run_transitions (
        run_id text not null references runs on delete cascade,
        number integer not null,
        state text not null,
        at bigint not null,
        note text,
        username text,
        worker_id text,
        attempt integer not null,
        primary key (run_id, number)
      )`,
      `create table uploads (
        id text primary key,
        stack_id text not null references stacks on delete cascade,
        requested_by text not null,
        created_at bigint not null,
        completed_at bigint
      )`,
    ],
  },
  { number: 2, statements: queueStatements },
  { number: 3, statements: sharedStatements },
  { number: 4, statements: watchStatements },
  { number: 5, statements: accessStatements },
  { number: 6, statements: outputsStatements },
  { number: 7, statements: releaseStatements },
  { number: 8, statements: workersStatements },
  { number: 9, statements: webhookStatements },
  { number: 10, statements: claimsStatements },
  { number: 11, statements: peopleStatements },
  { number: 12, statements: linesStatements },
  { number: 13, statements: positionsStatements },
  { number: 14, statements: viewsStatements },
  { number: 15, statements: figuresStatements },
  { number: 16, statements: signInStatements },
  { number: 17, statements: sessionsStatements },
  { number: 18, statements: waitsStatements },
  { number: 19, statements: scheduleStatements },
];

/** Key of the lock under which migrations run; any number that nobody else takes. */
const migrationLock = 7_665_012;

/** Of the last step that this program knows. */
export const newestVersion = Math.max(...migrations.map(({ number }) => number));

/**
 * Brings the database up to date, each step in a transaction of its own. Processes that start together take turns.
 * `upTo`: the last step to apply, for tests. Answers how many were applied. Throws DATABASE_UNUSABLE for a database
 * that a newer program has been at.
 */
export async function migrate(db: Kysely<Database>, now: number, upTo = newestVersion): Promise<number> {
  return db.connection().execute(async (connection) => {
    // Waiting for another process, and the steps themselves, take as long as they take.
    await sql`set statement_timeout = 0`.execute(connection);
    await sql`select pg_advisory_lock(${migrationLock})`.execute(connection);
    try {
      return await applyMissing(connection, now, upTo);
    } finally {
      await sql`select pg_advisory_unlock(${migrationLock})`.execute(connection);
      await sql`reset statement_timeout`.execute(connection);
    }
  });
}

async function applyMissing(db: Kysely<Database>, now: number, upTo: number): Promise<number> {
  await sql`create table if not exists schema_migrations (
    number integer primary key,
    applied_at bigint not null
  )`.execute(db);
  // Those of the template, which were applied when the program was built.
  await db.updateTable('schema_migrations').set({ applied_at: now }).where('applied_at', '=', 0).execute();
  const applied = await db.selectFrom('schema_migrations').select('number').execute();
  const known = new Set(applied.map(({ number }) => number));
  const newest = Math.max(0, ...known);
  if (newest > newestVersion) {
    throw new PoolwrightError(
      'DATABASE_UNUSABLE',
      `The database is of version ${String(newest)}; this program knows ${String(newestVersion)}. ` +
        'Start the newer program that was here, or restore a backup from before it.',
    );
  }
  const missing = migrations.filter(({ number }) => number <= upTo && !known.has(number));
  for (const migration of missing) {
    await db.transaction().execute((transaction) => apply(transaction, migration, now));
  }
  return missing.length;
}

async function apply(transaction: Transaction<Database>, migration: Migration, now: number): Promise<void> {
  for (const statement of migration.statements) await sql.raw(statement).execute(transaction);
  await transaction
    .insertInto('schema_migrations')
    .values({ number: migration.number, applied_at: now })
    .execute();
}
