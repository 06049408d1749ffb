// What comes from workers by the broker, checked and handed to the rules. Messages of one worker are dealt with
// one after the other, in the order in which they came.
import { PoolwrightError } from '../../protocol/errors.js';
import { parseTopic } from '../../protocol/topics.js';
import { decodeUp } from '../../protocol/wire.js';
import type { Context } from '../context.js';
import { heartbeat, registerWorker, workerGone, type Sender } from '../pools/contact.js';
import type { IncomingMessage } from './broker.js';

export interface Inbox {
  /** Never throws: a message that is wrong is logged with its code and dropped. */
  receive(message: IncomingMessage): void;
  /** Waits for what is being dealt with. */
  close(): Promise<void>;
}

/** The broker may not know yet what the control plane does: a worker that must not register is told so. */
function sendAway(context: Context, { pool, worker }: Sender, session: string, why: string): void {
  const reason = why.replace(/\.$/, '').slice(0, 1024);
  context.outbox.send({ pool, worker, session }, { type: 'leave', immediate: true, reason });
}

function isRefusal(error: unknown): error is PoolwrightError {
  return error instanceof PoolwrightError && (error.code === 'UNAUTHORIZED' || error.code === 'NOT_FOUND');
}

export function createInbox(context: Context): Inbox {
  const queues = new Map<string, Promise<void>>();

  async function handle(sender: Sender, payload: Uint8Array): Promise<void> {
    const message = decodeUp(payload);
    switch (message.type) {
      case 'register':
        return registerWorker(context, sender, message).catch((error: unknown) => {
          if (isRefusal(error)) sendAway(context, sender, message.session, error.message);
          throw error;
        });
      case 'heartbeat':
        return heartbeat(context, sender, message);
      case 'gone':
        return workerGone(context, sender, message);
    }
  }

  return {
    receive({ topic, payload, certificateSerial }) {
      const place = parseTopic(topic);
      if (place?.direction !== 'up') return;
      const { pool, worker } = place;
      const before = queues.get(worker) ?? Promise.resolve();
      const done = before
        .then(() => handle({ pool, worker, certificateSerial }, payload))
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
    },
    async close() {
      await Promise.all(queues.values());
    },
  };
}
