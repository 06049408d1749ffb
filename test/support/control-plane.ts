// A real control plane in this process, a pool, and launchers as real processes around it.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { createApiClient, type ApiClient } from '../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../control-plane/cli/api/http.js';
import { createPool } from '../../control-plane/cli/api/pools.js';
import { createTask, getRun, triggerRun, type RunWithHistory } from '../../control-plane/cli/api/runs.js';
import { createStack, type StackInput } from '../../control-plane/cli/api/stacks.js';
import { listWorkers, type Worker } from '../../control-plane/cli/api/workers.js';
import type { RunType } from '../../protocol/runs.js';
import { serve, type ControlPlane, type ServeOptions } from '../../control-plane/serve.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { until } from '../launcher/support/until.js';

const launcherProgram = fileURLToPath(new URL('../../dist/launcher.cjs', import.meta.url));

export interface TestLauncher {
  readonly process: ChildProcess;
  /** All that it printed. */
  readonly output: () => string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

export interface TestPlane {
  readonly url: string;
  readonly key: { readonly id: string; readonly secret: string };
  /** Id of the pool that the launchers belong to. */
  readonly pool: string;
  readonly token: string;
  /** PEM. */
  readonly privateKey: string;
  readonly client: ApiClient;
  readonly controlPlane: ControlPlane;
  signInLink(): Promise<string>;
  createPool(name: string): Promise<string>;
  workers(): Promise<Worker[]>;
  /** Waits until that many workers are idle. */
  idle(count: number): Promise<void>;
  /** `executable`: in the place of the bundle. */
  startLauncher(environment?: Readonly<Record<string, string>>, executable?: string): Promise<TestLauncher>;
  /** Makes a stack of commands in the pool and runs it; `how`: a command is a task. Default: a tracked run. */
  triggerRun(
    stack: StackInput,
    how?: { readonly task: string } | { readonly runType: RunType },
  ): Promise<{ stack: string; run: string }>;
  run(stack: string, run: string): Promise<RunWithHistory>;
  /** Waits until the run is in one of the states. */
  reached(stack: string, run: string, ...states: readonly string[]): Promise<RunWithHistory>;
  close(): Promise<void>;
}

let counter = 0;

/** `folder` is an empty one; data and launchers have theirs in it. Launchers execute on the host unless told otherwise. */
export async function startControlPlane(
  folder: string,
  options: {
    readonly launchers?: number;
    readonly environment?: Readonly<Record<string, string>>;
    /** What differs from a control plane that has everything embedded. */
    readonly serve?: Partial<ServeOptions>;
  } = {},
): Promise<TestPlane> {
  const any = { host: '127.0.0.1', port: 0 };
  const controlPlane = await serve({
    dataDirectory: join(folder, 'data'),
    listen: any,
    brokerListen: any,
    ...options.serve,
  });
  return aroundControlPlane(folder, controlPlane, options);
}

/** The same around one that is there already. */
export async function aroundControlPlane(
  folder: string,
  controlPlane: ControlPlane,
  options: { readonly launchers?: number; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<TestPlane> {
  const { administrator: key, apiUrl: url } = controlPlane;
  const http = await createHttpClient();
  const client = createApiClient({ endpoint: url, apiKeyId: key.id, apiKeySecret: key.secret }, http);
  const { privateKey, request } = await generateKeyAndRequest();
  const { pool, token } = await createPool(client, { name: 'test', certificateSigningRequest: request });
  const launchers: TestLauncher[] = [];

  async function startLauncher(
    environment: Readonly<Record<string, string>> = {},
    executable?: string,
  ): Promise<TestLauncher> {
    counter += 1;
    const state = join(folder, `launcher-${String(counter)}`);
    await mkdir(state);
    const launcher = launchLauncher(
      {
        SPACELIFT_TOKEN: token,
        SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(privateKey).toString('base64'),
        POOLWRIGHT_STATE_DIR: state,
        POOLWRIGHT_EXECUTOR: 'host',
        SPACELIFT_METADATA_name: `launcher-${String(counter)}`,
        ...options.environment,
        ...environment,
      },
      executable,
    );
    launchers.push(launcher);
    return launcher;
  }

  const plane: TestPlane = {
    url,
    key,
    pool: pool.id,
    token,
    privateKey,
    client,
    controlPlane,
    signInLink: () => controlPlane.signInLink(),
    createPool: async (name) =>
      (await createPool(client, { name, certificateSigningRequest: request })).pool.id,
    workers: () => listWorkers(client, pool.id),
    idle: async (count) => {
      await until(
        async () => (await plane.workers()).filter(({ status }) => status === 'IDLE').length >= count,
        `${String(count)} idle workers; launchers said ${launchers.map(({ output }) => output()).join('\n')}`,
        20_000,
      );
    },
    startLauncher,
    async triggerRun(stack, how = { runType: 'TRACKED' }) {
      counter += 1;
      const made = await createStack(client, {
        name: `stack ${String(counter)}`,
        tool: 'commands',
        planCommands: ['true'],
        ...stack,
        workerPool: pool.id,
      });
      const run =
        'task' in how
          ? await createTask(client, made.id, how.task)
          : await triggerRun(client, { stack: made.id, ...how });
      return { stack: made.id, run: run.id };
    },
    run: (stack, run) => getRun(client, stack, run),
    async reached(stack, run, ...states) {
      let last: RunWithHistory | undefined;
      return until(
        async () => {
          last = await getRun(client, stack, run);
          return states.includes(last.state) ? last : undefined;
        },
        `run ${run} to be ${states.join(' or ')}`,
        40_000,
      ).catch((error: unknown) => {
        throw new Error(
          `${String(error)}; it is ${JSON.stringify(last)}; launchers said ${launchers.map(({ output }) => output()).join('\n')}`,
        );
      });
    },
    async close() {
      for (const launcher of launchers) launcher.process.kill('SIGKILL');
      await Promise.all(launchers.map(({ ended }) => ended));
      http.close();
      await controlPlane.close();
    },
  };
  for (let number = 0; number < (options.launchers ?? 0); number += 1) await startLauncher();
  await plane.idle(options.launchers ?? 0);
  return plane;
}

/** Starts the built launcher with an environment of its own and nothing else. */
export function launchLauncher(
  environment: Readonly<Record<string, string>>,
  executable?: string,
): TestLauncher {
  const [program, args] = executable === undefined ? [process.execPath, [launcherProgram]] : [executable, []];
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(signal ?? code);
    });
  });
  return { process: child, output: () => output, ended };
}

/** All log lines of a run in a state, as the API gives them. */
export async function logOf(plane: TestPlane, stack: string, run: string, state: string): Promise<string> {
  const schema = z.object({
    stack: z.object({
      run: z.object({
        logs: z.object({
          hasMore: z.boolean(),
          nextToken: z.string().nullable(),
          messages: z.array(z.object({ message: z.string() })),
        }),
      }),
    }),
  });
  let text = '';
  for (let token: string | null = null; ;) {
    const answer: z.infer<typeof schema> = await plane.client.request(
      `query ($stack: ID!, $run: ID!, $state: RunState!, $token: String) {
        stack(id: $stack) { run(id: $run) { logs(state: $state, token: $token) { hasMore nextToken messages { message } } } }
      }`,
      { stack, run, state, token },
      schema,
    );
    const { logs } = answer.stack.run;
    text += logs.messages.map(({ message }) => message).join('');
    token = logs.nextToken;
    if (!logs.hasMore) return text;
  }
}
