// Removes what nobody can ask for any more: sealed objects of runs that have ended, earlier launcher releases, logs of runs that are gone. And, where
// it was asked for, runs that ended long ago, or only their logs, and old entries of the audit log.
import { sql } from 'kysely';
import { spaceDeleted } from '../access/spaces.js';
import type { Context } from '../context.js';
import { endStates } from '../runs/transitions.js';
import type { LogStore } from './logs.js';
import type { ObjectStore } from './objects.js';

/** What is younger may belong to a run that is just being made, in milliseconds. */
const settled = 24 * 60 * 60 * 1000;
/** How often to look, in milliseconds. */
const interval = 60 * 60 * 1000;

/** Days for which a run, or only its log, is kept after its end, and an entry of the audit log; not given: for ever. */
export interface Retention {
  readonly runs?: number | undefined;
  readonly logs?: number | undefined;
  readonly audit?: number | undefined;
}

/** For how long a delivery to a webhook is known when it comes again, in milliseconds. */
const deliveriesKept = 90 * 24 * 60 * 60 * 1000;

/** So many of a stack's runs are kept, however old they are. */
const newestOfStack = 20;

/** Runs removed with one statement. */
const batch = 1000;

export interface Stores {
  readonly logs: Pick<LogStore, 'list' | 'delete' | 'tidy'>;
  readonly objects: Pick<ObjectStore, 'list' | 'delete'>;
}

/** One look over everything that is stored. Answers how many things were removed. */
export async function collectGarbage(
  context: Pick<Context, 'db' | 'clock'>,
  { logs, objects }: Stores,
): Promise<number> {
  const before = context.clock.now() - settled;
  // Listed first, asked then: what comes between the two is younger than a day.
  const stored = (await objects.list()).filter(({ modifiedAt }) => modifiedAt < before);
  const logged = (await logs.list()).filter(({ modifiedAt }) => modifiedAt < before);
  const used = await objectsInUse(
    context,
    stored.map(({ id }) => id),
    before,
  );
  const known = await knownRuns(
    context.db,
    logged.map(({ run }) => run),
  );
  const unusedObjects = stored.filter(({ id }) => !used.has(id));
  const orphans = logged.filter(({ run }) => !known.has(run));
  for (let index = 0; index < unusedObjects.length; index += batch) {
    const ids = unusedObjects.slice(index, index + batch).map(({ id }) => id);
    for (const id of await giveUp(context.db, ids, before)) await objects.delete(id);
  }
  for (const { run } of orphans) await logs.delete(run);
  await context.db
    .deleteFrom('webhook_deliveries')
    .where('at', '<', context.clock.now() - deliveriesKept)
    .execute();
  return unusedObjects.length + orphans.length + (await logs.tidy(before));
}

/**
 * Of the given objects, those that may go. The right to use an upload goes first: a run that names it later is told
 * that it is not there. One that was named since it was found unused stays; assertUploaded locks its row as well.
 */
function giveUp(db: Context['db'], ids: readonly string[], before: number): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    await tx.selectFrom('uploads').select('id').where('id', 'in', ids).orderBy('id').forUpdate().execute();
    const rows = await tx
      .selectFrom('runs')
      .select('archive_object')
      .where('archive_object', 'in', ids)
      .where(mayBeAskedFor(before))
      .execute();
    const named = new Set(rows.map(({ archive_object }) => archive_object));
    const free = ids.filter((id) => !named.has(id));
    if (free.length > 0) await tx.deleteFrom('uploads').where('id', 'in', free).execute();
    return free;
  });
}

/** Runs that have not ended, or since then: their uploads may be needed for another try. */
function mayBeAskedFor(before: number) {
  return sql<boolean>`(runs.state not in (${sql.join(endStates)}) or runs.updated_at >= ${before})`;
}

/** Answers how many runs, logs and audit entries were removed. Their objects, and logs of removed runs, go with the garbage. */
export async function retire(
  { db, clock }: Pick<Context, 'db' | 'clock'>,
  { logs }: Pick<Stores, 'logs'>,
  retention: Retention,
): Promise<{ readonly runs: number; readonly logs: number; readonly audit: number }> {
  const before = (days: number) => clock.now() - days * settled;
  let runs = 0;
  for (let removed = batch; retention.runs !== undefined && removed === batch; runs += removed) {
    removed = await retireRuns(db, before(retention.runs));
  }
  let removedLogs = 0;
  if (retention.logs !== undefined) {
    const since = before(retention.logs);
    const old = (await logs.list()).filter(({ modifiedAt }) => modifiedAt < since);
    for (let index = 0; index < old.length; index += batch) {
      const ids = old.slice(index, index + batch).map(({ run }) => run);
      for (const { id } of await endedBefore(db, ids, since)) {
        await logs.delete(id);
        removedLogs += 1;
      }
    }
  }
  let audit = 0;
  for (let removed = batch; retention.audit !== undefined && removed === batch; audit += removed) {
    removed = await retireAudit(db, before(retention.audit));
  }
  return { runs, logs: removedLogs, audit };
}

/** What says that a space was deleted stays: its id is not given again, as keys may still name it (access/spaces.ts). */
async function retireAudit(db: Context['db'], since: number): Promise<number> {
  const removed = await db
    .deleteFrom('audit_entries')
    .where('id', 'in', (query) =>
      query
        .selectFrom('audit_entries')
        .select('id')
        .where('at', '<', since)
        .where('action', '!=', spaceDeleted)
        .limit(batch),
    )
    .returning('id')
    .execute();
  return removed.length;
}

async function retireRuns(db: Context['db'], since: number): Promise<number> {
  const removed = await db
    .deleteFrom('runs')
    .where('id', 'in', (query) =>
      query
        .selectFrom((inner) =>
          inner
            .selectFrom('runs')
            .select(['id', 'state', 'updated_at'])
            .select(sql<number>`row_number() over (partition by stack_id order by id desc)`.as('place'))
            .as('placed'),
        )
        .select('id')
        .where('place', '>', newestOfStack)
        .where('state', 'in', endStates)
        .where('updated_at', '<', since)
        .limit(batch),
    )
    .returning('id')
    .execute();
  return removed.length;
}

function endedBefore(db: Context['db'], ids: readonly string[], since: number): Promise<{ id: string }[]> {
  return db
    .selectFrom('runs')
    .select('id')
    .where('id', 'in', ids)
    .where('state', 'in', endStates)
    .where('updated_at', '<', since)
    .execute();
}

/** Asked for by their ids: most runs have no object, and there may be many more runs than objects. */
async function knownRuns(db: Context['db'], ids: readonly string[]): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (let index = 0; index < ids.length; index += batch) {
    const some = ids.slice(index, index + batch);
    const rows = await db.selectFrom('runs').select('id').where('id', 'in', some).execute();
    for (const { id } of rows) known.add(id);
  }
  return known;
}

/**
 * Of the given objects, those of runs that have not ended, uploads of runs that ended within the last day, which may be
 * retried, and the bundle that each pool's workers are offered.
 */
async function objectsInUse(
  context: Pick<Context, 'db'>,
  ids: readonly string[],
  before: number,
): Promise<ReadonlySet<string>> {
  const used = new Set<string | null>();
  for (let index = 0; index < ids.length; index += batch) {
    const some = ids.slice(index, index + batch);
    const archives = await context.db
      .selectFrom('runs')
      .select('archive_object as id')
      .where('archive_object', 'in', some)
      .where(mayBeAskedFor(before))
      .execute();
    const workspaces = await context.db
      .selectFrom('runs')
      .select('workspace_object as id')
      .where('workspace_object', 'in', some)
      .where('state', 'not in', endStates)
      .execute();
    for (const { id } of [...archives, ...workspaces]) used.add(id);
  }
  const releases = await context.db
    .selectFrom('launcher_releases')
    .distinctOn('pool_id')
    .select('id')
    .where('completed_at', 'is not', null)
    .orderBy('pool_id')
    .orderBy('id', 'desc')
    .execute();
  for (const { id } of releases) used.add(id);
  return new Set([...used].filter((id) => id !== null));
}

/** Looks at once and then every hour. A look that fails is logged; the next one finds the same things. */
export function startGarbageCollector(
  context: Context,
  stores: Stores,
  retention: Retention = {},
): { close(): Promise<void> } {
  let current = Promise.resolve();
  const work = async () => {
    const retired = await retire(context, stores, retention);
    if (retired.runs + retired.logs + retired.audit > 0)
      context.log.info(retired, 'removed runs, logs and audit entries that are older than they are kept');
    return collectGarbage(context, stores);
  };
  const look = () => {
    current = work().then(
      (removed) => {
        if (removed > 0)
          context.log.info({ removed }, 'removed objects and logs that nobody can ask for any more');
      },
      (error: unknown) => {
        context.log.error({ err: error }, 'removing what is not needed any more failed; it will be repeated');
      },
    );
  };
  look();
  const timer = setInterval(look, interval);
  return {
    async close() {
      clearInterval(timer);
      await current;
    },
  };
}
