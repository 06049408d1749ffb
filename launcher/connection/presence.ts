// What a line that workers share says of them all, so that those who have nothing to say need not say it.
import { namedAtMost } from '../../protocol/lines.js';
import type { WorkerStatus } from './connection.js';

/** Nothing in its hands, and free for a run: the line speaks for it. */
export function isIdle({ held, leaving, unavailable = null }: WorkerStatus): boolean {
  return held === null && !leaving && unavailable === null;
}

/** `others`: who speaks for itself; null when they are too many to name. */
export function presenceOf(
  members: Iterable<{ readonly worker: string; readonly registered: boolean; status(): WorkerStatus }>,
): { readonly registered: number; readonly others: string[] | null } {
  let registered = 0;
  const others: string[] = [];
  for (const member of members) {
    if (member.registered) registered += 1;
    if (!isIdle(member.status())) others.push(member.worker);
  }
  return { registered, others: others.length > namedAtMost ? null : others };
}
