// A control plane on PostgreSQL: runs end to end, and everything but logs and objects is in the database.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../control-plane/serve.js';
import { logOf, startControlPlane } from '../support/control-plane.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../support/postgres.js';
import { temporaryFolder } from '../support/temporary.js';

describe.skipIf(!hasPostgres('a control plane'))('a control plane on PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  it('runs a run, and is the same control plane when it starts with another data folder', async () => {
    const folder = await temporaryFolder();
    const databaseUrl = await server.database();
    const plane = await startControlPlane(folder, { launchers: 1, serve: { databaseUrl } });
    try {
      const { stack, run } = await plane.triggerRun({ name: 'stack', planCommands: ['echo planned here'] });
      await plane.reached(stack, run, 'UNCONFIRMED');
      expect(await logOf(plane, stack, run, 'PLANNING')).toContain('planned here');
    } finally {
      await plane.close();
    }
    const any = { host: '127.0.0.1', port: 0 };
    const again = await serve({
      dataDirectory: join(folder, 'other'),
      listen: any,
      brokerListen: any,
      databaseUrl,
    });
    try {
      expect(again.administrator).toEqual({ ...plane.key, created: false });
    } finally {
      await again.close();
    }
  });
});
