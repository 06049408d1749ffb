// One-time links over several processes on one database: each opens once, wherever it is opened.
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSignInLinks, type SignInLinks } from '../../../control-plane/access/sign-in-links.js';
import { openPostgres } from '../../../control-plane/store/postgres.js';
import type { RetryingDatabase } from '../../../control-plane/store/retrying.js';
import type { Database } from '../../../control-plane/store/schema.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';

describe.skipIf(!hasPostgres('one-time links'))('one-time links of two processes', () => {
  let server: TestPostgres;
  const processes: RetryingDatabase<Database>[] = [];
  const links: SignInLinks[] = [];
  let now = Date.UTC(2026, 0, 1);
  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.database();
    for (let count = 0; count < 2; count += 1) {
      const db = await openPostgres({ url, now, log: pino({ level: 'silent' }) });
      processes.push(db);
      links.push(createSignInLinks({ db, clock: { now: () => now } }));
    }
  }, 60_000);
  afterAll(async () => {
    for (const db of processes) await db.destroy();
    await server.close();
  });

  const [here, there] = [() => links[0]!, () => links[1]!];

  it('open at the other one, once', async () => {
    const code = await here().create('key');
    expect(await there().redeem(code)).toBe('key');
    expect(await here().redeem(code)).toBeUndefined();
    expect(await there().redeem(code)).toBeUndefined();
  });

  it('open once when several come to both at the same time', async () => {
    for (let round = 0; round < 10; round += 1) {
      const code = await here().create('key');
      const opened = await Promise.all(
        Array.from({ length: 8 }, (_, index) => links[index % 2]!.redeem(code)),
      );
      expect(opened.filter((key) => key !== undefined)).toEqual(['key']);
    }
  });

  it('open no longer after 15 minutes, never for a code that was made up, and are not in the database', async () => {
    const code = await here().create('key');
    expect(await there().redeem(`${code}x`)).toBeUndefined();
    const rows = await processes[0]!.selectFrom('sign_in_codes').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(code);
    now += 15 * 60 * 1000;
    expect(await there().redeem(code)).toBeUndefined();
    await here().create('key');
    expect(await processes[0]!.selectFrom('sign_in_codes').selectAll().execute()).toHaveLength(1);
  });
});
