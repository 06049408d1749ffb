// When nobody can have listened to workers, their silence says nothing about them: they get time to come back before they
// count as lost.
import { sql } from 'kysely';
import { rhythm } from '../../protocol/limits.js';
import type { Context } from '../context.js';
import { onSilentLine } from '../pools/lines.js';
import { lastContact, lostAt } from '../pools/workers.js';

/** Workers whose time to come back has been over for so long were not looked after, in milliseconds. */
const overlooked = 2000;

/** A control plane that starts has heard of nobody: every worker has some time to come back. */
export async function allowReturn(context: Context): Promise<void> {
  const now = context.clock.now();
  await context.db
    .updateTable('workers')
    .set({ connected: false, lost_at: lostAt(now, rhythm.returnAfterRestart), last_contact_at: lastContact })
    .execute();
}

/**
 * The same when other processes may have been here all the time, and when the line to the broker is back: only
 * workers that were not heard of for so long that nobody can have listened have time to come back.
 */
export async function allowReturnOfSilent(context: Context): Promise<void> {
  const now = context.clock.now();
  const silent = now - 2 * rhythm.heartbeat;
  await context.db
    .updateTable('workers')
    .set({ connected: false, lost_at: lostAt(now, rhythm.returnAfterRestart), last_contact_at: lastContact })
    .where((where) =>
      where.or([
        where.and([
          where('connected', '=', true),
          where('last_contact_at', '<', silent),
          onSilentLine(where, silent),
        ]),
        where('lost_at', '<', now - overlooked),
      ]),
    )
    .execute();
}

/**
 * The same when this process did not run for a while or its clock was set: workers that are out of contact have their
 * time from now on, be they found silent since, and so have those whose times lie ahead, which were written by a clock that
 * was ahead: nobody would notice for long that they are silent.
 */
export async function allowReturnAfterGap(context: Context): Promise<void> {
  const now = context.clock.now();
  const silent = now - 2 * rhythm.heartbeat;
  await context.db
    .updateTable('worker_lines')
    .set({ last_contact_at: now })
    .where('last_contact_at', '>', now)
    .execute();
  // Nor is anybody held longer than was said.
  await context.db
    .updateTable('alarms')
    .set({ raised_at: now })
    .where('cleared_at', 'is', null)
    .where('raised_at', '>', now)
    .execute();
  await context.db
    .updateTable('workers')
    .set({
      connected: false,
      lost_at: lostAt(now, rhythm.returnAfterRestart),
      last_contact_at: sql<number>`least(${lastContact}, ${now}::bigint)`,
    })
    .where((where) =>
      where.or([
        where('lost_at', 'is not', null),
        where('last_contact_at', '>', now),
        where.and([where('last_contact_at', '<', silent), onSilentLine(where, silent)]),
      ]),
    )
    .execute();
}
