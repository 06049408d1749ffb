// Releases of the launcher: handed on from an operator, who signs them, to the workers of a pool, which check that. Nothing
// here can make a release that a worker would take.
import { createHash } from 'node:crypto';
import { PoolwrightError } from '../../protocol/errors.js';
import type { LauncherRelease, SignedRelease } from '../../protocol/launcher-release.js';
import { limits } from '../../protocol/limits.js';
import { readRelease } from '../../protocol/release-signing.js';
import { audit } from '../access/audit.js';
import type { Context, Tx } from '../context.js';
import type { ObjectStore } from '../store/objects.js';
import type { ReleaseRow, WorkerRow } from '../store/schema.js';
import { getPool } from './pools.js';
import { addressOf } from './workers.js';

/** Milliseconds within which workers begin to take a release, at most. */
const longestWithin = 24 * 60 * 60 * 1000;

export interface ReleaseRequest {
  readonly pool: string;
  readonly signed: SignedRelease;
  /** Milliseconds within which workers begin to take it, each at a random moment. */
  readonly within: number;
  readonly publishedBy: string;
}

/** Makes a place for the bundle; the release counts once that is there. Throws INVALID_MESSAGE, INVALID_ARGUMENT, CONFLICT. */
export async function createRelease(context: Context, request: ReleaseRequest): Promise<ReleaseRow> {
  const pool = await getPool(context, request.pool);
  if (request.within < 0 || request.within > longestWithin)
    throw new PoolwrightError('INVALID_ARGUMENT', 'within: expected a time from 0 seconds to a day.');
  const { released } = readRelease(request.signed);
  const before = await currentRelease(context, pool.id);
  if (before !== undefined && readRelease(before).released >= released) {
    throw new PoolwrightError(
      'CONFLICT',
      `The pool ${pool.name} has a release that was signed at the same time or later; sign again. Check the clock of the ` +
        'machine that signs.',
    );
  }
  return context.db.transaction().execute(async (tx) => {
    const row = await tx
      .insertInto('launcher_releases')
      .values({
        id: context.ids.next(),
        pool_id: pool.id,
        ...request.signed,
        within_ms: request.within,
        published_by: request.publishedBy,
        created_at: context.clock.now(),
        completed_at: null,
        withdrawn_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditRelease(tx, context, row, 'publish');
    return row;
  });
}

/**
 * Keeps the bundle and tells the pool's workers. Throws NOT_FOUND; CONFLICT when it is complete already;
 * INVALID_ARGUMENT when the bytes are not those that were signed, and nothing is kept then.
 */
export async function completeRelease(
  context: Context,
  objects: ObjectStore,
  id: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const row = await findRelease(context, id);
  if (row === undefined) throw new PoolwrightError('NOT_FOUND', `There is no launcher release ${id}.`);
  if (row.completed_at !== null)
    throw new PoolwrightError('CONFLICT', `The launcher release ${id} is complete and cannot be changed.`);
  const { sha256, size } = readRelease(row);
  const hash = createHash('sha256');
  const stored = await objects.put(id, hashing(bytes, hash), limits.launcherBundle);
  if (stored.size !== size || hash.digest('hex') !== sha256) {
    await objects.delete(id);
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'The bundle is not the one whose hash and size were signed.',
    );
  }
  await context.db
    .updateTable('launcher_releases')
    .set({ completed_at: context.clock.now() })
    .where('id', '=', id)
    .execute();
  await offerToPool(context, row.pool_id);
}

/** It is offered to no worker any more; those that have taken it keep it. Throws NOT_FOUND when there is none. */
export async function withdrawRelease(context: Context, pool: string): Promise<void> {
  const row = await currentRelease(context, pool);
  if (row === undefined)
    throw new PoolwrightError('NOT_FOUND', `The worker pool ${pool} has no launcher release.`);
  await context.db.transaction().execute(async (tx) => {
    await tx
      .updateTable('launcher_releases')
      .set({ withdrawn_at: context.clock.now() })
      .where('id', '=', row.id)
      .execute();
    await auditRelease(tx, context, row, 'withdraw');
  });
}

export function findRelease(context: Pick<Context, 'db'>, id: string): Promise<ReleaseRow | undefined> {
  return context.db.selectFrom('launcher_releases').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The one that workers are offered: the last that is complete, unless it was withdrawn. */
export async function currentRelease(
  context: Pick<Context, 'db'>,
  pool: string,
): Promise<ReleaseRow | undefined> {
  const last = await context.db
    .selectFrom('launcher_releases')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('completed_at', 'is not', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last?.withdrawn_at === null ? last : undefined;
}

/** After a worker has registered: it may have been away when the release came. */
export async function offerRelease(context: Context, worker: WorkerRow): Promise<void> {
  if (worker.updates === null) return;
  const release = await currentRelease(context, worker.pool_id);
  if (release !== undefined && isFor(readRelease(release), worker)) await send(context, worker, release);
}

async function offerToPool(context: Context, pool: string): Promise<void> {
  const workers = await context.db
    .selectFrom('workers')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('connected', '=', true)
    .where('updates', 'is not', null)
    .execute();
  for (const worker of workers) await offerRelease(context, worker);
}

/** The worker decides; this only spares it what it would not take. */
function isFor({ version, bases }: LauncherRelease, worker: WorkerRow): boolean {
  return worker.version !== version && worker.updates !== null && bases.includes(worker.updates.base);
}

async function send(context: Context, worker: WorkerRow, row: ReleaseRow): Promise<void> {
  context.outbox.send(addressOf(worker), {
    type: 'release',
    release: { payload: row.payload, signature: row.signature },
    within: row.within_ms,
    bulk: await context.bulk.grantRelease(row.id),
  });
}

async function auditRelease(
  tx: Tx,
  context: Context,
  row: ReleaseRow,
  verb: 'publish' | 'withdraw',
): Promise<void> {
  const { space } = await tx
    .selectFrom('worker_pools')
    .select('space')
    .where('id', '=', row.pool_id)
    .executeTakeFirstOrThrow();
  const { version, sha256, bases } = readRelease(row);
  await audit(tx, context, {
    action: `launcher-release.${verb}`,
    type: 'worker-pool',
    id: row.pool_id,
    space,
    before: null,
    after: { version, sha256, bases },
  });
}

async function* hashing(
  bytes: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) {
    hash.update(part);
    yield part;
  }
}
