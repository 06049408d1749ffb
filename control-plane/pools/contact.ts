// What workers say of themselves: they register, report, and go. What they hold is settled in settlement.ts.
import { PoolwrightError } from '../../protocol/errors.js';
import { isProven } from '../../protocol/proof.js';
import type { UpMessage } from '../../protocol/messages.js';
import type { Addressee, Context, Tx } from '../context.js';
import type { PoolRow, WorkerRow } from '../store/schema.js';
import { endRunOf } from './loss.js';
import { getPool } from './pools.js';
import { offerRelease } from './releases.js';
import { lineGone } from './lines.js';
import { carryOut, settle } from './settlement.js';
import { addressOf, lostAt } from './workers.js';

type Register = Extract<UpMessage, { type: 'register' }>;
type Heartbeat = Extract<UpMessage, { type: 'heartbeat' }>;
type Gone = Extract<UpMessage, { type: 'gone' }>;

/** Where a message came from, as the broker knows it. */
export interface Sender {
  readonly pool: string;
  readonly worker: string;
  /** Of the client certificate; null when the broker does not tell. */
  readonly certificateSerial: string | null;
  /** The shared line that it came on; none for a line of the worker's own. */
  readonly carrier?: Carrier;
  /** Unix milliseconds: when it came here. Default: now. What it says is as old as that, however long it waited. */
  readonly receivedAt?: number;
}

/** A line that carries the messages of several workers, and what it proves of itself. */
export interface Carrier {
  readonly line: string;
  readonly session: string;
  readonly at: number;
  readonly proof?: string | undefined;
}

/**
 * A worker is there, for the first time or again. Throws NOT_FOUND for an unknown pool, UNAUTHORIZED for a
 * certificate that is not the pool's current one.
 */
export async function registerWorker(context: Context, sender: Sender, message: Register): Promise<void> {
  const pool = await getPool(context, sender.pool);
  if (!isOfCurrentCertificate(sender, pool, message)) {
    throw new PoolwrightError(
      'UNAUTHORIZED',
      `Worker ${sender.worker} uses a certificate that pool ${pool.id} no longer has. Give it the pool's new token and key.`,
    );
  }
  const settlement = await context.db.transaction().execute(async (tx) => {
    const before = await lockWorker(tx, sender.worker);
    if (before !== undefined && before.pool_id !== sender.pool) {
      throw new PoolwrightError(
        'FORBIDDEN',
        `Worker ${sender.worker} belongs to another pool than ${sender.pool}.`,
      );
    }
    const worker = await saveRegistration(tx, context, sender, message, before);
    return settle(tx, context, worker, { held: message.held, by: 'register', receivedAt: sender.receivedAt });
  });
  const { worker } = settlement;
  context.outbox.send(addressOf(worker), { type: 'registered', drained: worker.drained });
  repeatLeave(context, worker, message);
  await carryOut(context, settlement);
  await offerRelease(context, worker);
}

/** As the broker knows the sender, or as the message itself proves. */
function isOfCurrentCertificate(sender: Sender, pool: PoolRow, message: Register): boolean {
  if (sender.certificateSerial !== null) return sender.certificateSerial === pool.certificate_serial;
  const { worker, carrier } = sender;
  const { session, at, proof } = carrier ?? message;
  return isProven({ pool: pool.id, worker: carrier?.line ?? worker, session, at }, proof, pool.public_key);
}

/**
 * A sign of life. A report of another session than the last registered one changes nothing: that process is gone.
 * Should it still be there, because only its row is gone, it registers again when it is told.
 */
export async function heartbeat(context: Context, sender: Sender, message: Heartbeat): Promise<void> {
  const outcome = await context.db.transaction().execute(async (tx) => {
    const before = await lockWorker(tx, sender.worker);
    if (before?.session !== message.session || before.pool_id !== sender.pool) return undefined;
    if (before.line !== (sender.carrier?.line ?? null)) return undefined;
    const worker = await tx
      .updateTable('workers')
      .set({
        connected: true,
        lost_at: null,
        last_contact_at: context.clock.now(),
        leaving: before.leaving || message.leaving,
        unavailable: message.unavailable ?? null,
      })
      .where('id', '=', sender.worker)
      .returningAll()
      .executeTakeFirstOrThrow();
    const report = { held: message.held, by: 'heartbeat', receivedAt: sender.receivedAt } as const;
    return { before, settlement: await settle(tx, context, worker, report) };
  });
  if (outcome !== undefined) {
    repeatLeave(context, outcome.settlement.worker, message);
    return carryOut(context, outcome.settlement, outcome.before);
  }
  context.outbox.send(replyTo(sender, message.session), { type: 'unregistered' });
}

/** Where the answer to a message goes, whatever is known of its worker. */
export function replyTo({ pool, worker, carrier }: Sender, session: string): Addressee {
  return { pool, worker, session, line: carrier?.line ?? null };
}

/**
 * Told to leave, it says that it does not: the word was lost, or this is another process. Without it the worker would
 * stay for ever and never get a run. Whoever has heard it already takes no notice of it.
 */
function repeatLeave(context: Context, worker: WorkerRow, { leaving }: Register | Heartbeat): void {
  if (!worker.leaving || leaving) return;
  const reason = 'this worker was told to leave';
  context.outbox.send(addressOf(worker), { type: 'leave', immediate: false, reason });
}

/** In order: the worker leaves at once. Broken: it has some time to come back. */
export async function workerGone(context: Context, sender: Sender, message: Gone): Promise<void> {
  const now = context.clock.now();
  const found = await context.db
    .updateTable('workers')
    .set({ connected: false, lost_at: message.orderly ? now : lostAt(now) })
    .where('id', '=', sender.worker)
    .where('pool_id', '=', sender.pool)
    .where('session', '=', message.session)
    .returning('id')
    .executeTakeFirst();
  if (found === undefined) {
    // The last will of a line that several workers share comes on the line's own topic.
    await lineGone(context, { pool: sender.pool, line: sender.worker });
    return;
  }
  if (message.orderly) await endRunOf(context, sender.worker, message.reason);
  context.events.emit({ kind: 'worker', pool: sender.pool, worker: sender.worker, free: false });
}

function lockWorker(tx: Tx, worker: string): Promise<WorkerRow | undefined> {
  return tx.selectFrom('workers').selectAll().where('id', '=', worker).forUpdate().executeTakeFirst();
}

async function saveRegistration(
  tx: Tx,
  context: Context,
  sender: Sender,
  message: Register,
  before: WorkerRow | undefined,
): Promise<WorkerRow> {
  const now = context.clock.now();
  const said = {
    session: message.session,
    certificate_serial: sender.certificateSerial,
    metadata: JSON.stringify(message.metadata),
    version: message.version,
    executor: message.executor,
    updates: message.updates === undefined ? null : JSON.stringify(message.updates),
    connected: true,
    // Told to leave once, it stays so until it is gone, whatever the launcher has heard of it.
    leaving: message.leaving || before?.leaving === true,
    unavailable: message.unavailable ?? null,
    last_contact_at: now,
    lost_at: null,
    line: sender.carrier?.line ?? null,
  };
  const lost =
    before === undefined
      ? await tx
          .deleteFrom('lost_workers')
          .where('id', '=', sender.worker)
          .where('pool_id', '=', sender.pool)
          .returning('drained')
          .executeTakeFirst()
      : undefined;
  return tx
    .insertInto('workers')
    .values({
      id: sender.worker,
      pool_id: sender.pool,
      ...said,
      // Lost for a moment, it is still drained: whoever was told "not busy" counts on it. What the worker was told last
      // counts where nothing is known of it here.
      drained: lost?.drained ?? message.drained ?? false,
      run_id: null,
      created_at: now,
      available_at: now,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(said))
    .returningAll()
    .executeTakeFirstOrThrow();
}
