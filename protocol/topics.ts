// Topic names. Pool and worker are levels of their own, so that one ACL pattern of any broker holds a client to its own
// topics (common name of its certificate = pool, client id = worker): write `…/<pool>/up/<id>`, read `…/<pool>/down/<id>`.
import * as z from 'zod';

export const ulidSchema = z.string().regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, 'expected a ULID');

const root = 'poolwright/v1';

/** Where a worker writes and where the broker publishes its last will. */
export function upTopic(pool: string, worker: string): string {
  return `${root}/${pool}/up/${worker}`;
}

/** Where a worker reads what the control plane tells it. */
export function downTopic(pool: string, worker: string): string {
  return `${root}/${pool}/down/${worker}`;
}

/** What the control plane subscribes to. */
export const allUpTopics = `${root}/+/up/+`;

/** Pool, direction and worker of a topic, or undefined when it is not one of ours. */
export function parseTopic(
  topic: string,
): { pool: string; direction: 'up' | 'down'; worker: string } | undefined {
  const [name, version, pool, direction, worker, ...rest] = topic.split('/');
  if (`${name ?? ''}/${version ?? ''}` !== root || rest.length > 0) return undefined;
  if (direction !== 'up' && direction !== 'down') return undefined;
  if (!ulidSchema.safeParse(pool).success || !ulidSchema.safeParse(worker).success) return undefined;
  return { pool: pool as string, direction, worker: worker as string };
}
