// Signs what the rules tell workers, and publishes it.
import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import { rhythm } from '../../protocol/limits.js';
import { protocolVersion, type DownMessage } from '../../protocol/messages.js';
import { encodeDown } from '../../protocol/signing.js';
import { downTopic } from '../../protocol/topics.js';
import type { Clock, Ids } from '../clock.js';
import type { Outbox } from '../context.js';
import type { Broker } from './broker.js';

/** How long a message counts, in milliseconds. An assignment ends with the wait for its acceptance. */
const validity = { assignment: rhythm.acceptWithin, other: 60_000 } as const;

/** A message that cannot be made or published is logged: its sender has a deadline for the answer. */
export function createOutbox(options: {
  readonly broker: Pick<Broker, 'publish'>;
  readonly signingKey: KeyObject;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}): Outbox {
  const { broker, signingKey, clock, ids, log } = options;
  return {
    send(to, body) {
      const issuedAt = clock.now();
      const lasts = body.type === 'assignment' ? validity.assignment : validity.other;
      const failed = (error: unknown) => {
        log.error(
          { err: error, pool: to.pool, worker: to.worker, type: body.type },
          'a message could not be sent',
        );
      };
      try {
        const { line, ...addressee } = to;
        const message = {
          ...body,
          ...addressee,
          v: protocolVersion,
          id: ids.next(),
          issuedAt,
          expiresAt: issuedAt + lasts,
        } as DownMessage;
        broker.publish(downTopic(to.pool, line ?? to.worker), encodeDown(message, signingKey)).catch(failed);
      } catch (error) {
        failed(error);
      }
    },
  };
}
