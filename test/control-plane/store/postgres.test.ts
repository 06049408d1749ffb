// PostgreSQL by URL: who may have the database, what processes tell each other, and what happens when it breaks.
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEvents, type ControlPlaneEvent } from '../../../control-plane/events.js';
import { relayEvents } from '../../../control-plane/store/event-relay.js';
import { newestVersion } from '../../../control-plane/store/migrations.js';
import { openPostgres, placeOf } from '../../../control-plane/store/postgres.js';
import { enterDatabase, type Presence } from '../../../control-plane/store/presence.js';
import { until } from '../../launcher/support/until.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';

const log = pino({ level: 'silent' });

describe.skipIf(!hasPostgres('the database by URL'))('PostgreSQL by URL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  async function open(url: string, connections = 4) {
    const db = await openPostgres({ url, connections, now: 1, log });
    onTestFinished(() => db.destroy());
    return db;
  }

  async function enter(url: string, shared: boolean): Promise<Presence> {
    const presence = await enterDatabase({ url, shared, log, patience: 0 });
    onTestFinished(() => presence.close());
    return presence;
  }

  it('may end a connection between two statements of a transaction: the next one fails, and nothing else', async () => {
    const url = await server.database();
    const [db, other] = await Promise.all([open(url), open(url)]);
    const broken = db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
      await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other);
      // Without a listener the end of the connection, which comes now, would end the process.
      await new Promise((done) => setTimeout(done, 200));
      await sql`select 1`.execute(tx);
    });
    await expect(broken).rejects.toThrow();
    await sql`select 1`.execute(db);
  });

  it('is migrated once by processes that start together, and reads counts and times as numbers', async () => {
    const url = await server.database();
    const [db] = await Promise.all([open(url), open(url), open(url)]);
    const rows = await db.selectFrom('schema_migrations').select(['number', 'applied_at']).execute();
    expect(Math.max(...rows.map(({ number }) => number))).toBe(newestVersion);
    expect(new Set(rows.map(({ number }) => number)).size).toBe(rows.length);
    expect(rows[0]?.applied_at).toBe(1);
    const { count } = await db
      .selectFrom('schema_migrations')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(count).toBe(rows.length);
  });

  it('refuses what a newer program has been at, a wrong user, a URL of something else, and never shows the password', async () => {
    const url = await server.database();
    const db = await open(url);
    await db.insertInto('schema_migrations').values({ number: 9999, applied_at: 1 }).execute();
    await expect(open(url)).rejects.toMatchObject({ code: 'DATABASE_UNUSABLE', message: /version 9999/ });
    const wrong = new URL(url);
    wrong.username = 'nobody';
    wrong.password = 'hunter2';
    const refusal: unknown = await open(wrong.href).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'DATABASE_UNUSABLE' });
    expect(String(refusal)).not.toContain('hunter2');
    expect(() => placeOf('mysql://root:hunter2@host/db')).toThrow(/Expected the URL of a database/);
  });

  it('does a transaction again that was given up for another one', async () => {
    const db = await open(await server.database());
    const values = (name: string) => ({ name, value: '0', created_at: 1 });
    await db
      .insertInto('secrets')
      .values([values('a'), values('b')])
      .execute();
    const add = (first: string, second: string) =>
      db.transaction().execute(async (tx) => {
        for (const name of [first, second]) {
          await sql`update secrets set value = (value::int + 1)::text where name = ${name}`.execute(tx);
        }
      });
    // In opposite orders they run into a deadlock sooner or later.
    for (let round = 0; round < 4; round += 1) await Promise.all([add('a', 'b'), add('b', 'a')]);
    const rows = await db.selectFrom('secrets').select('value').execute();
    expect(rows.map(({ value }) => value)).toEqual(['8', '8']);
  });

  it('belongs to one process alone, or to any number that share it', async () => {
    const alone = await server.database();
    await enter(alone, false);
    await expect(enter(alone, true)).rejects.toMatchObject({ code: 'DATABASE_UNUSABLE' });
    const together = await server.database();
    await enter(together, true);
    await enter(together, true);
  });

  it(
    'tells events to other processes, once, and goes on after the server was killed',
    { timeout: 60_000 },
    async () => {
      const url = await server.database();
      const heard: Record<string, [ControlPlaneEvent, string][]> = { a: [], b: [] };
      const [a, b] = await Promise.all(
        ['a', 'b'].map(async (process) => {
          const db = await open(url);
          const presence = await enter(url, true);
          const events = relayEvents(
            createEvents((error) => {
              throw error;
            }),
            { db, presence, process, log },
          );
          events.subscribe((event, origin) => heard[process]?.push([event, origin]));
          return { db, presence, events };
        }),
      );
      if (a === undefined || b === undefined) throw new Error('two processes were started');
      a.events.emit({ kind: 'stack', stack: 's' });
      expect(heard['a']).toEqual([[{ kind: 'stack', stack: 's' }, 'here']]);
      await until(() => heard['b']?.length === 1, 'b to hear of it');
      expect(heard['b']).toEqual([[{ kind: 'stack', stack: 's' }, 'elsewhere']]);
      // Many at once: none is lost, whatever a notification can hold.
      for (let number = 0; number < 500; number += 1)
        b.events.emit({ kind: 'log', run: `run-${String(number)}` });
      await until(() => heard['a']?.length === 501, 'a to hear of them all');

      let returned = 0;
      for (const { presence } of [a, b]) presence.onReturn(() => (returned += 1));
      await server.crash();
      await until(() => returned === 2, 'both to connect again', 20_000);
      // Connections of the pool that broke are noticed, and replaced.
      await until(
        () =>
          sql`select 1`.execute(a.db).then(
            () => true,
            () => false,
          ),
        'the pool to answer',
      );
      a.events.emit({ kind: 'stack', stack: 'after' });
      await until(
        () => heard['b']?.some(([event]) => 'stack' in event && event.stack === 'after'),
        'b to hear again',
      );
      expect(await a.db.selectFrom('schema_migrations').select('number').execute()).not.toEqual([]);
    },
  );
});
