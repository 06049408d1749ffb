// Reports that say nothing new. Nearly all are of this kind, and of ten thousand workers a thousand come each second: they
// are noted many at a time, with one statement that does nothing but say when they were heard of.
import { sql } from 'kysely';
import type { UpMessage } from '../../protocol/messages.js';
import type { Context } from '../context.js';
import type { Sender } from './contact.js';

type Heartbeat = Extract<UpMessage, { type: 'heartbeat' }>;

/** Milliseconds that a report waits for others to be noted with. */
const window = 50;
/** Noted at a time: the fewer, the shorter their rows are locked. */
const most = 250;

interface Waiting {
  readonly pool: string;
  readonly worker: string;
  readonly session: string;
  readonly held: Heartbeat['held'];
  readonly noted: (isNoted: boolean) => void;
  readonly failed: (error: unknown) => void;
}

export interface UnchangedReports {
  /**
   * Notes a report that says what the one before it said. False for any other, and where the database knows something that
   * does not fit: that one is to be dealt with as news, then `learn` is told.
   */
  note(sender: Sender, message: Heartbeat): Promise<boolean>;
  /** The report was dealt with: the next one like it says nothing new, until something is done with the worker. */
  learn(sender: Sender, message: Heartbeat): void;
  close(): void;
}

/** What is known here only spares reports the wait of the window; whether there is nothing new, the database says. */
export function createUnchangedReports(context: Pick<Context, 'db' | 'clock' | 'events'>): UnchangedReports {
  /** Worker → what it said last. */
  const known = new Map<string, string>();
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;

  const unsubscribe = context.events.subscribe((event) => {
    if (event.kind === 'worker') known.delete(event.worker);
  });

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const reports = waiting;
    waiting = [];
    noteAll(context, reports).then(
      (noted) => {
        for (const { worker, noted: tell } of reports) tell(noted.has(worker));
      },
      (error: unknown) => {
        for (const { failed } of reports) failed(error);
      },
    );
  }

  return {
    async note(sender, message) {
      const { pool, worker } = sender;
      if (known.get(worker) !== textOf(sender, message)) return false;
      const { session, held } = message;
      const noted = await new Promise<boolean>((resolve, reject) => {
        waiting.push({ pool, worker, session, held, noted: resolve, failed: reject });
        if (waiting.length >= most) flush();
        else timer ??= setTimeout(flush, window);
      });
      if (!noted) known.delete(worker);
      return noted;
    },
    learn(sender, message) {
      const text = textOf(sender, message);
      if (text === undefined) known.delete(sender.worker);
      else known.set(sender.worker, text);
    },
    close: unsubscribe,
  };
}

/** Undefined for a report that is never noted so: on a shared line, of a worker that leaves or takes no run. */
function textOf({ pool, carrier }: Sender, { session, held, leaving, unavailable }: Heartbeat) {
  if (carrier !== undefined || leaving || unavailable != null) return undefined;
  return [pool, session, held?.run, held?.attempt].join(' ');
}

/**
 * Those that were noted: the row says of the worker what the worker says, so there is nothing to settle (see contact.ts).
 * A row that another transaction holds, which may be changing it, is passed over; so nobody ever waits for this.
 */
async function noteAll(
  { db, clock }: Pick<Context, 'db' | 'clock'>,
  reports: readonly Waiting[],
): Promise<ReadonlySet<string>> {
  const workers = reports.map(({ worker }) => worker);
  const pools = reports.map(({ pool }) => pool);
  const sessions = reports.map(({ session }) => session);
  const runs = reports.map(({ held }) => held?.run ?? null);
  const attempts = reports.map(({ held }) => held?.attempt ?? null);
  const { rows } = await sql<{ id: string }>`
    update workers set last_contact_at = ${clock.now()} where id = any (array(
      select workers.id
      from unnest(${workers}::text[], ${pools}::text[], ${sessions}::text[], ${runs}::text[], ${attempts}::integer[])
        as said (worker, pool, session, run, attempt)
      join workers on workers.id = said.worker
      where workers.pool_id = said.pool and workers.session = said.session and workers.line is null
        and workers.connected and workers.lost_at is null and not workers.leaving and workers.unavailable is null
        and workers.run_id is not distinct from said.run
        and (said.run is null or exists (
          select from runs where runs.id = said.run and runs.worker_id = workers.id and runs.attempt = said.attempt
        ))
      for update of workers skip locked
    ))
    returning id`.execute(db);
  return new Set(rows.map(({ id }) => id));
}
