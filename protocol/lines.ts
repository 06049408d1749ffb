// What is said on a line that several workers of a pool share, such as those of a Kubernetes controller. The line is a client
// of the broker with an id and topics of its own, as a worker's are; docs/decisions/0016 tells why.
import * as z from 'zod';
import { goneSchema, heartbeatSchema, registerSchema, unavailable, upHead } from './messages.js';
import { ulidSchema } from './topics.js';

/** Workers that one message may name, so that it fits brokers which end messages at 128 kB. */
export const namedAtMost = 3_000;

/** What workers say, in the order in which they said it. Each message has the session of its worker. */
export const carriedSchema = z.object({
  ...upHead,
  type: z.literal('carried'),
  messages: z
    .array(
      z.object({
        worker: ulidSchema,
        message: z.discriminatedUnion('type', [registerSchema, heartbeatSchema, goneSchema]),
      }),
    )
    .min(1)
    .max(namedAtMost),
  /** That the line has the pool's private key, as in `register`: with the line's id in the place of the worker's. */
  proof: z.string().max(2048).optional(),
});
export type CarriedMessage = z.infer<typeof carriedSchema>;

/**
 * Sent every `rhythm.heartbeat`: the sign of life of all workers that have registered on the line. Who holds no run, does
 * not leave and can take runs says nothing else.
 */
export const presentSchema = z.object({
  ...upHead,
  type: z.literal('present'),
  /** How many there are; null while some are still registering. */
  workers: z.int().min(0).nullable(),
  /** Who has more to say, and says it in a `heartbeat` of its own; null when there are too many to name. */
  others: z.array(ulidSchema).max(namedAtMost).nullable(),
  /** Why nobody on the line takes a run now. */
  unavailable,
});
export type PresentMessage = z.infer<typeof presentSchema>;

/** Everything that goes upwards: of a worker with a line of its own, and of a line that is shared. */
export const upwardSchema = z.discriminatedUnion('type', [
  registerSchema,
  heartbeatSchema,
  goneSchema,
  carriedSchema,
  presentSchema,
]);
export type UpwardMessage = z.infer<typeof upwardSchema>;
