// Worker pools: made from a certificate signing request, given a new certificate, deleted.
import type { Updateable } from 'kysely';
import { faultsError, PoolwrightError, type Fault } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import { audit } from '../access/audit.js';
import { assertUsable, getSpace } from '../access/spaces.js';
import { endStates } from '../runs/transitions.js';
import { publicPoolId, type WorkerPoolsTable } from '../store/pool-tables.js';
import type { PoolRow } from '../store/schema.js';
import { tellPoolToLeave } from './leave.js';

export interface PoolFields {
  readonly name: string;
  readonly description?: string | null;
  readonly labels?: readonly string[] | null;
  /** Default: `root`. */
  readonly space?: string | null;
  /** Not given: no limit. */
  readonly driftDetectionRunLimit?: number | null;
}

export interface PoolWithToken {
  readonly pool: PoolRow;
  /** What goes into SPACELIFT_TOKEN. */
  readonly token: string;
}

/** Throws INVALID_ARGUMENT, INVALID_CSR, CONFLICT when another pool has the name. */
export async function createPool(
  context: Context,
  request: PoolFields & { readonly certificateSigningRequest: string },
): Promise<PoolWithToken> {
  const fields = checked(request);
  await assertNameIsFree(context, fields.name, null);
  const id = context.ids.next();
  const now = context.clock.now();
  const issued = await context.authority.issue({ csr: request.certificateSigningRequest, pool: id, now });
  await getSpace(context, fields.space);
  const pool = await context.db.transaction().execute(async (tx) => {
    const made = await tx
      .insertInto('worker_pools')
      .values({
        id,
        ...fields,
        managed_by_k8s_controller: false,
        certificate: issued.certificate,
        certificate_serial: issued.serial,
        public_key: issued.publicKey,
        created_at: now,
        updated_at: now,
        deleted_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditPool(tx, context, 'create', null, made);
    return made;
  });
  context.events.emit({ kind: 'pool', pool: id });
  return { pool, token: tokenOf(context, pool) };
}

/**
 * The pool that a stack's secrets and uploads are sealed for: its own, else the public one. Throws CONFLICT when that
 * has no key yet.
 */
export async function sealingPool(
  context: Pick<Context, 'db'>,
  stack: { readonly id: string; readonly pool_id: string | null },
  what: string,
): Promise<PoolRow> {
  const pool = await getPool(context, stack.pool_id ?? publicPoolId);
  if (pool.public_key !== '') return pool;
  throw new PoolwrightError(
    'CONFLICT',
    `The stack ${stack.id} has no worker pool, so there is no key to seal ${what} for. Give the stack a pool first.`,
  );
}

/** The token of a pool. It holds no secret, but with the pool's private key it lets a worker in. */
export function tokenOf(context: Pick<Context, 'authority'>, pool: PoolRow): string {
  return context.authority.token(pool.id, pool.certificate);
}

/** By name, without the public one. */
export function listPools(context: Pick<Context, 'db'>): Promise<PoolRow[]> {
  return context.db
    .selectFrom('worker_pools')
    .selectAll()
    .where('deleted_at', 'is', null)
    .where('public', '=', false)
    .orderBy('name')
    .execute();
}

/** The public pool, too, by its id. */
export function findPool(context: Pick<Context, 'db'>, id: string): Promise<PoolRow | undefined> {
  return context.db
    .selectFrom('worker_pools')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

/** Also of one that was deleted: what has happened there keeps its name. */
export function findPoolName(
  context: Pick<Context, 'db'>,
  id: string,
): Promise<Pick<PoolRow, 'id' | 'name'> | undefined> {
  return context.db.selectFrom('worker_pools').select(['id', 'name']).where('id', '=', id).executeTakeFirst();
}

/** Throws NOT_FOUND. */
export async function getPool(context: Pick<Context, 'db'>, id: string): Promise<PoolRow> {
  const pool = await findPool(context, id);
  if (pool === undefined) throw poolNotFound(id);
  return pool;
}

/** Fields that are not given go back to their defaults, as in the public API. Throws NOT_FOUND, CONFLICT. */
export async function updatePool(context: Context, id: string, request: PoolFields): Promise<PoolRow> {
  const fields = checked(request);
  await assertNameIsFree(context, fields.name, id);
  const pool = await changePool(context, id, 'update', async (tx, before) => {
    if (before.public) throw poolNotFound(id);
    if (fields.space !== before.space) await assertStacksFit(tx, id, fields.space);
    return fields;
  });
  context.events.emit({ kind: 'pool', pool: id });
  return pool;
}

/**
 * Gives the pool a new certificate. Workers with the old one are told why and cut off at once; values sealed for
 * the old key have to be entered anew. Throws NOT_FOUND, INVALID_CSR.
 */
export async function resetPool(context: Context, id: string, csr: string): Promise<PoolWithToken> {
  await getPool(context, id);
  const now = context.clock.now();
  const issued = await context.authority.issue({ csr, pool: id, now });
  const { certificate, serial, publicKey } = issued;
  const pool = await changePool(context, id, 'reset', () =>
    Promise.resolve({ certificate, certificate_serial: serial, public_key: publicKey }),
  );
  await tellPoolToLeave(context, id, {
    immediate: true,
    reason: 'the worker pool was reset; this token is no longer valid',
  });
  context.connections.cutPool(id, issued.serial);
  context.events.emit({ kind: 'pool', pool: id });
  return { pool, token: tokenOf(context, pool) };
}

/** Every worker is told to end: an idle one now, a busy one after its run. Throws NOT_FOUND. */
export async function cyclePool(context: Context, id: string): Promise<void> {
  await changePool(context, id, 'cycle', () => Promise.resolve({}));
  await tellPoolToLeave(context, id, { immediate: false, reason: 'the worker pool is cycled' });
}

/** Throws NOT_FOUND; CONFLICT, listing them, while stacks use the pool or runs are there that have not ended. */
export async function deletePool(context: Context, id: string): Promise<PoolRow> {
  const pool = await changePool(context, id, 'delete', async (tx, before) => {
    if (before.public) throw poolNotFound(id);
    await assertUnused(tx, before);
    return { deleted_at: context.clock.now() };
  });
  await tellPoolToLeave(context, id, { immediate: true, reason: 'the worker pool was deleted' });
  context.connections.cutPool(id, null);
  context.events.emit({ kind: 'pool', pool: id });
  return pool;
}

/** Changes a pool's row under its lock, and puts it on record. Throws NOT_FOUND. */
async function changePool(
  context: Context,
  id: string,
  verb: string,
  change: (tx: Tx, before: PoolRow) => Promise<Updateable<WorkerPoolsTable>>,
): Promise<PoolRow> {
  return context.db.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom('worker_pools')
      .selectAll()
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (before === undefined) throw poolNotFound(id);
    const set = await change(tx, before);
    const row = await tx
      .updateTable('worker_pools')
      .set({ ...set, updated_at: context.clock.now() })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditPool(tx, context, verb, before, verb === 'delete' ? null : row);
    return row;
  });
}

async function auditPool(
  tx: Tx,
  context: Context,
  verb: string,
  before: PoolRow | null,
  after: PoolRow | null,
): Promise<void> {
  const told = (row: PoolRow | null) =>
    row && {
      name: row.name,
      description: row.description,
      labels: row.labels,
      space: row.space,
      driftDetectionRunLimit: row.drift_detection_run_limit,
      certificate: row.certificate_serial,
    };
  const { id = '', space = null } = after ?? before ?? {};
  const action = `worker-pool.${verb}`;
  await audit(tx, context, {
    action,
    type: 'worker-pool',
    id,
    space,
    before: told(before),
    after: told(after),
  });
}

/** Throws INVALID_ARGUMENT when a stack that uses the pool could not reach it in another space. */
async function assertStacksFit(tx: Tx, pool: string, space: string): Promise<void> {
  await getSpace({ db: tx }, space);
  const spaces = await tx
    .selectFrom('stacks')
    .select('space')
    .distinct()
    .where('pool_id', '=', pool)
    .execute();
  for (const { space: stack } of spaces) await assertUsable({ db: tx }, { stack, pool: space });
}

async function assertUnused(tx: Tx, pool: PoolRow): Promise<void> {
  const stacks = await tx
    .selectFrom('stacks')
    .select('id')
    .where('pool_id', '=', pool.id)
    .orderBy('id')
    .execute();
  if (stacks.length > 0) {
    throw new PoolwrightError(
      'CONFLICT',
      `The worker pool ${pool.name} cannot be deleted while stacks use it: ${listed(stacks)}. ` +
        'Give them another pool or delete them first.',
    );
  }
  const open = await tx
    .selectFrom('runs')
    .select('id')
    .where('pool_id', '=', pool.id)
    .where('state', 'not in', endStates)
    .orderBy('id')
    .execute();
  if (open.length === 0) return;
  throw new PoolwrightError(
    'CONFLICT',
    `The worker pool ${pool.name} cannot be deleted while runs are with it: ${listed(open)}. ` +
      'Wait for them, or end them first.',
  );
}

function listed(rows: readonly { readonly id: string }[]): string {
  const names = rows.slice(0, 20).map(({ id }) => id);
  const more = rows.length > names.length ? ` and ${String(rows.length - names.length)} more` : '';
  return `${names.join(', ')}${more}`;
}

function checked(fields: PoolFields) {
  const faults: Fault[] = [];
  const name = fields.name.trim();
  if (name === '' || name.length > 255) faults.push({ path: 'name', reason: 'expected 1 to 255 characters' });
  const limit = fields.driftDetectionRunLimit ?? null;
  if (limit !== null && limit < 0)
    faults.push({ path: 'driftDetectionRunLimit', reason: 'expected 0 or more' });
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'The worker pool', faults);
  return {
    name,
    description: fields.description ?? '',
    labels: JSON.stringify(fields.labels ?? []),
    space: fields.space ?? 'root',
    drift_detection_run_limit: limit,
  };
}

async function assertNameIsFree(context: Context, name: string, except: string | null): Promise<void> {
  const other = await context.db
    .selectFrom('worker_pools')
    .select('id')
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  if (other === undefined || other.id === except) return;
  throw new PoolwrightError(
    'CONFLICT',
    `A worker pool named "${name}" exists already (${other.id}). Choose another name.`,
  );
}

function poolNotFound(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no worker pool ${id}.`);
}
