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
  if (known && message.others !== null) await settleIdle(context, sender, message, new Set(message.others));
  if (known && (message.workers === null || message.workers === (await countOf(context, line)))) return;
  context.outbox.send(replyTo(sender, message.session), { type: 'unregistered' });
}

async function settleIdle(
  context: Context,
  { pool, worker: line, certificateSerial, receivedAt }: Sender,
  { session, at }: PresentMessage,
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
        where('unavailable', 'is not', null),
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
    const idle = { held: null, leaving: false, unavailable: null };
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
