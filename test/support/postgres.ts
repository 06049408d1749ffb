// A PostgreSQL server of the test's own: a cluster in a temporary folder, on a free port, with fsync on.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { until } from '../launcher/support/until.js';
import { available } from './skips.js';

const home = '/usr/lib/postgresql';

/** Newest version that is installed, from 15 on. */
function programs(): string | undefined {
  if (!existsSync(home)) return undefined;
  const newest = Math.max(
    ...readdirSync(home)
      .map(Number)
      .filter((version) => version >= 15),
  );
  const folder = join(home, String(newest), 'bin');
  return existsSync(join(folder, 'postgres')) ? folder : undefined;
}

export const hasPostgres = (what: string) =>
  available(what, programs() !== undefined, `no PostgreSQL below ${home} (Debian: postgresql)`);

export interface TestPostgres {
  /** Makes an empty database and answers its URL. */
  database(): Promise<string>;
  /** Ends the server as kill -9 of its first process does, and starts it again on the same port. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

/** The server refuses to run as root: then it runs as the user `postgres`, who comes with it. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Settings beyond the defaults are few, so that what is tested is what people run. `settings`: `name=value`. */
export async function startPostgres(settings: readonly string[] = []): Promise<TestPostgres> {
  const bin = programs();
  if (bin === undefined) throw new Error('PostgreSQL is not installed');
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-postgres-'));
  const user = owner();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const more = settings.flatMap((setting) => ['-c', setting]);
  execFileSync(
    join(bin, 'initdb'),
    ['--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '-D', data],
    { ...user, cwd: folder, stdio: 'pipe' },
  );
  const port = await freePort();
  const url = (name: string) => `postgres://postgres@127.0.0.1:${String(port)}/${name}`;
  let server = await start();
  let databases = 0;

  async function start() {
    const child = spawn(
      join(bin ?? '', 'postgres'),
      [
        '-D',
        data,
        '-p',
        String(port),
        '-k',
        folder,
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'fsync=on',
        ...more,
      ],
      { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5000)));
    await until(
      () =>
        ask('postgres', 'select 1').then(
          () => true,
          () => undefined,
        ),
      `PostgreSQL to answer; it said ${said}`,
      30_000,
    );
    return child;
  }

  async function ask(database: string, text: string): Promise<void> {
    const client = new pg.Client({ connectionString: url(database) });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  async function end(signal: NodeJS.Signals) {
    const gone = once(server, 'close');
    server.kill(signal);
    await gone;
  }

  return {
    async database() {
      databases += 1;
      const name = `test_${String(databases)}`;
      await ask('postgres', `create database ${name}`);
      return url(name);
    },
    async crash() {
      // SIGQUIT: every process of the server ends at once, without a checkpoint; the next start recovers.
      await end('SIGQUIT');
      server = await start();
    },
    async close() {
      await end('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
