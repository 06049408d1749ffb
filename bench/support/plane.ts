// A control plane as a process of its own, a pool in it, and a client: what most benches stand on.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { createApiClient, type ApiClient } from '../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../control-plane/cli/api/http.js';
import { createPool } from '../../control-plane/cli/api/pools.js';
import { createStack, type StackInput } from '../../control-plane/cli/api/stacks.js';
import { listWorkers } from '../../control-plane/cli/api/workers.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { ended, poll, startServer } from './server.js';

export interface Plane {
  readonly url: string;
  readonly client: ApiClient;
  readonly pool: string;
  readonly token: string;
  /** PEM. */
  readonly privateKey: string;
  readonly key: { readonly id: string; readonly secret: string };
  /** Empty folder for whatever the bench needs. */
  readonly folder: string;
  /** Bytes of memory that the control plane holds. */
  memory(): Promise<number>;
  /** Seconds of processor time that it has used. */
  processorTime(): Promise<number>;
  /** A stack of plain commands in the pool. */
  stack(input: StackInput): Promise<string>;
  /** Starts the built launcher. */
  startLauncher(environment?: Readonly<Record<string, string>>): Promise<ChildProcess>;
  /** Waits until so many workers are idle. */
  idle(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface PlaneOptions {
  /** PostgreSQL; not given: embedded. */
  readonly databaseUrl?: string;
  /** Of parts that are elsewhere, as `serve` takes them: BROKER_URL, OBJECT_STORE_URL. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Writes into the data folder before the control plane is started on it. */
  readonly prepare?: (dataFolder: string) => Promise<void>;
}

export async function startPlane(options: PlaneOptions = {}): Promise<Plane> {
  const { databaseUrl, environment = {}, prepare } = options;
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-bench-'));
  const data = join(folder, 'data');
  // Takes a while, in which a port that was free may be taken.
  await prepare?.(data);
  const server = await startServer(data, {
    ...environment,
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
  });
  const { url } = server;
  const name = 'administrator.json';
  const secret =
    databaseUrl === undefined ? readFile(join(data, name), 'utf8') : storedSecret(databaseUrl, name);
  const key = JSON.parse(await secret) as Plane['key'];
  const http = await createHttpClient();
  const client = createApiClient({ endpoint: url, apiKeyId: key.id, apiKeySecret: key.secret }, http);
  const { privateKey, request } = await generateKeyAndRequest();
  const { pool, token } = await createPool(client, { name: 'bench', certificateSigningRequest: request });
  const launchers: ChildProcess[] = [];
  let stacks = 0;
  const plane: Plane = {
    url,
    client,
    pool: pool.id,
    token,
    privateKey,
    key,
    folder,
    memory: () => server.memory(),
    processorTime: () => server.processorTime(),
    stack: async (input) => {
      stacks += 1;
      const fixed = { name: `bench ${String(stacks)}`, tool: 'commands', workerPool: pool.id } as const;
      return (await createStack(client, { planCommands: ['true'], ...input, ...fixed })).id;
    },
    startLauncher: async (environment = {}) => {
      const state = join(folder, `launcher-${String(launchers.length)}`);
      await mkdir(state);
      const launcher = spawn(process.execPath, [resolve('dist/launcher.cjs')], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          SPACELIFT_TOKEN: token,
          SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(privateKey).toString('base64'),
          POOLWRIGHT_STATE_DIR: state,
          POOLWRIGHT_EXECUTOR: 'docker',
          ...environment,
        },
      });
      launchers.push(launcher);
      return launcher;
    },
    idle: (count) =>
      poll(
        async () => {
          const workers = await listWorkers(client, pool.id);
          return workers.filter(({ status }) => status === 'IDLE').length >= count;
        },
        `${String(count)} idle workers`,
      ),
    close: async () => {
      for (const launcher of launchers) await ended(launcher, 'SIGKILL');
      http.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return plane;
}

/** Where processes share a database, they keep their secrets there. */
async function storedSecret(databaseUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ value: string }>('select value from secrets where name = $1', [
      name,
    ]);
    return rows[0]?.value ?? '';
  } finally {
    await client.end();
  }
}
