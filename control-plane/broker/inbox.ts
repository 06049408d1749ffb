// What comes from workers by the broker, checked and handed to the rules. Messages of one worker are dealt with
// one after the other, in the order in which they came.
import { PoolwrightError } from '../../protocol/errors.js';
import type { CarriedMessage, UpwardMessage } from '../../protocol/lines.js';
import { parseTopic } from '../../protocol/topics.js';
import { decodeUp } from '../../protocol/wire.js';
import type { Context } from '../context.js';
import { heartbeat, registerWorker, replyTo, workerGone, type Sender } from '../pools/contact.js';
import { noteLine } from '../pools/lines.js';
import { linePresent } from '../pools/present.js';
import { createUnchangedReports } from '../pools/unchanged.js';
import type { IncomingMessage } from './broker.js';

export interface Inbox {
  /** Never throws: a message that is wrong is logged with its code and dropped. */
  receive(message: IncomingMessage): void;
  /** Waits for what is being dealt with. */
  close(): Promise<void>;
}

/** The broker may not know yet what the control plane does: a worker that must not register is told so. */
function sendAway(context: Context, sender: Sender, session: string, why: string): void {
  const reason = why.replace(/\.$/, '').slice(0, 1024);
  context.outbox.send(replyTo(sender, session), { type: 'leave', immediate: true, reason });
}

function isRefusal(error: unknown): error is PoolwrightError {
  return error instanceof PoolwrightError && (error.code === 'UNAUTHORIZED' || error.code === 'NOT_FOUND');
}

/** What thousands of workers send every few seconds, and which mostly changes nothing. */
function isFrequent(type: UpwardMessage['type']): boolean {
  return type === 'heartbeat' || type === 'present' || type === 'carried';
}

export function createInbox(context: Context): Inbox {
  /** By worker, and by line. */
  const queues = new Map<string, Promise<void>>();
  const unchanged = createUnchangedReports(context);

  /** After what came before it for the same worker or line. Never rejects; resolves to whether it was dealt with. */
  function inTurn({ pool, worker }: Sender, deal: () => Promise<void>): Promise<boolean> {
    const before = queues.get(worker) ?? Promise.resolve();
    let dealt = false;
    const done = before
      .then(deal)
      .then(() => {
        dealt = true;
      })
      .catch((error: unknown) => {
        if (error instanceof PoolwrightError) {
          context.log.warn({ pool, worker, code: error.code }, `a message was dropped: ${error.message}`);
        } else {
          context.log.error({ err: error, pool, worker }, 'a message could not be dealt with');
        }
      })
      .finally(() => {
        if (queues.get(worker) === done) queues.delete(worker);
      });
    queues.set(worker, done);
    return done.then(() => dealt);
  }

  function handle(sender: Sender, message: UpwardMessage): Promise<void> {
    const { type } = message;
    const attributes = {
      'messaging.system': 'mqtt',
      'messaging.operation.type': 'process',
      'poolwright.message.type': type,
      'poolwright.pool.id': sender.pool,
      'poolwright.worker.id': sender.worker,
    };
    const start = { name: `process ${type}`, kind: 'consumer' as const, quiet: isFrequent(type), attributes };
    return context.traces.span(start, () => dealWith(sender, message));
  }

  async function dealWith(sender: Sender, message: UpwardMessage): Promise<void> {
    switch (message.type) {
      case 'register':
        return registerWorker(context, sender, message).catch((error: unknown) => {
          if (isRefusal(error)) sendAway(context, sender, message.session, error.message);
          throw error;
        });
      case 'heartbeat':
        if (await unchanged.note(sender, message)) return;
        await heartbeat(context, sender, message);
        unchanged.learn(sender, message);
        return;
      case 'gone':
        return workerGone(context, sender, message);
      case 'carried':
        return carried(sender, message);
      case 'present':
        return linePresent(context, sender, message);
    }
  }

  /** The workers are dealt with side by side; what comes next on the line waits for all of them. */
  async function carried(sender: Sender, { messages, session, at, proof }: CarriedMessage): Promise<void> {
    const { pool, worker: line } = sender;
    const dealt = await Promise.all(
      messages.map(async ({ worker, message }) => {
        const from = { ...sender, worker, carrier: { line, session, at, proof } };
        return (await inTurn(from, () => handle(from, message))) && message.type === 'register';
      }),
    );
    if (dealt.includes(true)) await noteLine(context, { pool, line });
  }

  return {
    receive({ topic, payload, certificateSerial }) {
      const place = parseTopic(topic);
      if (place?.direction !== 'up') return;
      const { pool, worker } = place;
      const sender = { pool, worker, certificateSerial, receivedAt: context.clock.now() };
      void inTurn(sender, () => handle(sender, decodeUp(payload)));
    },
    async close() {
      while (queues.size > 0) await Promise.all(queues.values());
      unchanged.close();
    },
  };
}
