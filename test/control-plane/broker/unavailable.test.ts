// A database that has no connection left: workers are told that the control plane cannot answer now, not that it refuses
// them, and are back as soon as it can.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import pg from 'pg';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFailure } from '../../../launcher/connection/reasons.js';
import { decodeToken } from '../../../protocol/token.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';

describe.skipIf(!hasPostgres('exhausted connections'))('a database without a free connection', () => {
  let server: TestPostgres;
  let plane: TestPlane;
  let url: string;
  let folder: string;
  beforeAll(async () => {
    server = await startPostgres(['max_connections=12', 'superuser_reserved_connections=2']);
    url = await server.database();
    // As people run it: not as the user for whom connections are reserved.
    const owner = new pg.Client({ connectionString: url });
    await owner.connect();
    await owner.query('create role plane login; grant all on schema public to plane');
    await owner.end();
    url = url.replace('postgres@', 'plane@');
    folder = await mkdtemp(join(tmpdir(), 'poolwright-unavailable-'));
    plane = await startControlPlane(folder, {
      serve: { databaseUrl: url, databaseConnections: 4 },
    });
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await server.close();
    await rm(folder, { recursive: true });
  });

  const connected = () => {
    const { certificate, authorities } = decodeToken(plane.token);
    return connectAsync(`mqtts://${plane.controlPlane.brokerAddress}`, {
      cert: certificate,
      key: plane.privateKey,
      ca: [...authorities],
      clientId: ulid(),
      keepalive: 8,
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
  };

  it('is "server unavailable" to a worker', { timeout: 60_000 }, async () => {
    await (await connected()).endAsync();
    const others: pg.Client[] = [];
    try {
      // All that there are; those of the control plane are ended, as a restart of the database or a balancer does.
      const administrator = new pg.Client({ connectionString: url.replace('plane@', 'postgres@') });
      await administrator.connect();
      others.push(administrator);
      const end = () =>
        administrator.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'plane' and application_name = 'poolwright'`,
        );
      await end();
      for (let left = 40; left > 0; left -= 1) {
        const other = new pg.Client({ connectionString: url });
        other.on('error', () => undefined);
        const taken = await other.connect().then(
          () => true,
          () => false,
        );
        if (taken) others.push(other);
        else await end();
      }
      const fault: unknown = await connected().catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: 3 });
      expect(describeFailure('ssl://broker.example:8883', 'mqtt', fault)).toContain(
        'the fault is there, not here',
      );
    } finally {
      for (const other of others) await other.end().catch(() => undefined);
    }
    await expect
      .poll(
        () =>
          connected().then(
            (client) => client.endAsync().then(() => true),
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
  });
});
