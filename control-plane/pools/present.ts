// The regular report of a shared line: who is on it, and that all whom it does not name have empty hands.
import type { PresentMessage } from '../../protocol/lines.js';
import { protocolVersion } from '../../protocol/messages.js';
import type { Context } from '../context.js';
import { heartbeat, replyTo, type Sender } from './contact.js';
import { touchLine } from './lines.js';

/**
 * `sender.worker` is the line. Where what it says does not fit what is known here, each worker whose row says more than
 * "idle" is dealt with as if it had reported so itself; and a line that is not known, or carries another number of workers,
 * is told: when that stays so, it begins anew.
 */
export async function linePresent(context: Context, sender: Sender, message: PresentMessage): Promise<void> {
  const { pool, worker: line } = sender;
  const known = await touchLine(context, { pool, line });
  if (known) await noteUnavailable(context, sender, message);
  if (known && message.others !== null) await settleIdle(context, sender, message, new Set(message.others));
  if (known && (message.workers === null || message.workers === (await countOf(context, line)))) return;
  context.outbox.send(replyTo(sender, message.session), { type: 'unregistered' });
}

/** What keeps everybody on the line from taking a run, or no longer does, in one change for all who have none. */
async function noteUnavailable(
  context: Context,
  { pool, worker: line }: Sender,
  { others, unavailable = null }: PresentMessage,
): Promise<void> {
  const changed = await context.db
    .updateTable('workers')
    .set({ unavailable })
    .where('line', '=', line)
    .where('pool_id', '=', pool)
    .where('run_id', 'is', null)
    .where('unavailable', 'is distinct from', unavailable)
    // Who speaks for itself says so, too.
    .where((where) => where.not(where('id', 'in', others === null || others.length === 0 ? [''] : others)))
    .returning('id')
    .execute();
  if (changed.length === 0) return;
  context.log.info(
    { pool, line, workers: changed.length, unavailable },
    'workers of a line take runs or not',
  );
  context.events.emit({ kind: 'pool', pool });
}

async function settleIdle(
  context: Context,
  { pool, worker: line, certificateSerial, receivedAt }: Sender,
  { session, at, unavailable = null }: PresentMessage,
  others: ReadonlySet<string>,
): Promise<void> {
  const busy = await context.db
    .selectFrom('workers')
    .select(['id', 'session'])
    .where('line', '=', line)
    .where('pool_id', '=', pool)
    .where((where) =>
      where.or([
        where('run_id', 'is not', null),
        where('leaving', '=', true),
        where('unavailable', 'is distinct from', unavailable),
      ]),
    )
    .execute();
  for (const worker of busy) {
    if (others.has(worker.id)) continue;
    const sender = {
      ...{ pool, worker: worker.id, certificateSerial },
      carrier: { line, session, at },
      ...(receivedAt === undefined ? {} : { receivedAt }),
    };
    const idle = { held: null, leaving: false, unavailable };
    const head = { v: protocolVersion, at, session: worker.session } as const;
    await heartbeat(context, sender, { ...head, type: 'heartbeat', ...idle });
  }
}

async function countOf(context: Context, line: string): Promise<number> {
  const { count } = await context.db
    .selectFrom('workers')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('line', '=', line)
    .executeTakeFirstOrThrow();
  return count;
}
