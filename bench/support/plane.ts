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
import { nextFreePort } from '../../control-plane/local/ports.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';

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
  /** Writes into the data folder before the control plane is started on it. */
  readonly prepare?: (dataFolder: string) => Promise<void>;
}

export async function startPlane({ databaseUrl, prepare }: PlaneOptions = {}): Promise<Plane> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-bench-'));
  const data = join(folder, 'data');
  // Takes a while, in which a port that was free may be taken.
  await prepare?.(data);
  const api = await nextFreePort('127.0.0.1', 14_280);
  const broker = await nextFreePort('127.0.0.1', api + 1);
  const server = spawn(
    process.execPath,
    [
      resolve('dist/control-plane/main.js'),
      'serve',
      '--data-dir',
      data,
      '--listen',
      `127.0.0.1:${String(api)}`,
      '--broker-listen',
      `127.0.0.1:${String(broker)}`,
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }) },
    },
  );
  const url = `http://127.0.0.1:${String(api)}`;
  await poll(
    async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true,
    'the control plane',
  );
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
    memory: () => memoryOf(server.pid),
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
      await ended(server, 'SIGINT');
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

/** Resident memory of a process in bytes (proc(5), VmRSS). */
export async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`process ${String(pid)} has no memory to read`);
  return Number(kilobytes) * 1024;
}

export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await gone;
}

export async function poll(look: () => Promise<boolean>, what: string, timeout = 60_000): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited ${String(timeout / 1000)} s for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
