// `poolwright local`: control plane, pool, two launchers and the example's run, from start to Ctrl-C.
import { PoolwrightError } from '../../protocol/errors.js';
import { createApiClient, type ApiClient } from '../cli/api/client.js';
import { createHttpClient } from '../cli/api/http.js';
import type { Output } from '../cli/output.js';
import { writeProfile } from '../cli/profile.js';
import { aborted, takeStopSignals } from '../cli/stop-signals.js';
import { serve, type ControlPlane } from '../serve.js';
import { traceSettings } from '../traces/settings.js';
import { dockerEngine } from './docker-engine.js';
import { chooseExecutor, type ExecutorKind } from './engine.js';
import { hasGit, openExample, readExample, startExampleRun, watchExampleRun } from './example.js';
import { openFolder, type LocalFolder } from './folder.js';
import type { LauncherProcess } from './launcher-process.js';
import { launcherCount, startLaunchers } from './launchers.js';
import { createNarrator, type Narrator } from './narrator.js';
import { openKey, openPool, poolName, type LocalKey } from './pool.js';
import { nextFreePort } from './ports.js';

const host = '127.0.0.1';
const usualPorts = { api: 4280, broker: 8883 } as const;

export interface LocalOptions {
  readonly dataDirectory: string;
  /** A port that was asked for is taken at its word; otherwise the usual one or the next free one. */
  readonly port: number | undefined;
  readonly brokerPort: number | undefined;
  readonly executor: 'auto' | ExecutorKind;
  readonly once: boolean;
}

/** What was started, in the order in which it has to end. */
interface Started {
  launchers: readonly LauncherProcess[];
  closers: (() => Promise<void> | void)[];
}

async function portsOf(options: LocalOptions, narrator: Narrator): Promise<{ api: number; broker: number }> {
  const api = options.port ?? (await nextFreePort(host, usualPorts.api));
  const broker = options.brokerPort ?? (await nextFreePort(host, usualPorts.broker, [api]));
  if (options.port === undefined && api !== usualPorts.api) {
    narrator.warn(
      `Port ${String(usualPorts.api)} is in use by another program; API and pages take ${String(api)}.`,
    );
  }
  if (options.brokerPort === undefined && broker !== usualPorts.broker) {
    narrator.warn(
      `Port ${String(usualPorts.broker)} is in use by another program; the broker takes ${String(broker)}.`,
    );
  }
  return { api, broker };
}

async function startControlPlane(
  options: LocalOptions,
  folder: LocalFolder,
  narrator: Narrator,
): Promise<ControlPlane> {
  const ports = await portsOf(options, narrator);
  const traces = traceSettings(process.env);
  return serve({
    dataDirectory: folder.path,
    listen: { host, port: ports.api },
    brokerListen: { host, port: ports.broker },
    traces,
    onProgress: (line) => {
      narrator.say(line);
    },
  });
}

async function openClient(
  controlPlane: ControlPlane,
  folder: LocalFolder,
  started: Started,
): Promise<ApiClient> {
  const { apiUrl, administrator } = controlPlane;
  const credentials = { endpoint: apiUrl, apiKeyId: administrator.id, apiKeySecret: administrator.secret };
  // Before anything else asks: whoever follows the output may use it at once.
  await writeProfile(folder.profileFile, credentials);
  const http = await createHttpClient();
  started.closers.push(() => {
    http.close();
  });
  return createApiClient(credentials, http);
}

async function end({ launchers, closers }: Started): Promise<void> {
  // Launchers first: their last words need the control plane.
  await Promise.all(launchers.map((launcher) => launcher.stop()));
  for (const close of closers.toReversed()) await close();
}

interface Foundation {
  readonly controlPlane: ControlPlane;
  readonly key: LocalKey;
  readonly executor: ExecutorKind;
}

/** What needs nothing else, all at once: on two cores the start is then as long as its longest part. */
async function layFoundation(
  options: LocalOptions,
  folder: LocalFolder,
  image: string,
  started: Started,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<Foundation> {
  const failure = new AbortController();
  const unlessFailed = AbortSignal.any([signal, failure.signal]);
  const together = <Result>(what: string, work: Promise<Result>) =>
    narrator.during(what, work).catch((error: unknown) => {
      failure.abort();
      throw error;
    });
  const opening = startControlPlane(options, folder, narrator).then((controlPlane) => {
    started.closers.push(() => controlPlane.close());
    return controlPlane;
  });
  const parts = [
    together('Starting the control plane', opening),
    together("Making the pool's key", openKey(folder)),
    together(
      'Looking for a container engine',
      chooseExecutor(options.executor, image, await dockerEngine(), narrator, unlessFailed),
    ),
  ] as const;
  // Also after a failure: what is opening then must be open before it can be closed.
  await Promise.allSettled(parts);
  const [controlPlane, key, executor] = await Promise.all(parts);
  return { controlPlane, key, executor };
}

/** Everything up to the example's run, and the run. Returns whether the run FINISHED. */
async function story(
  options: LocalOptions,
  started: Started,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<boolean> {
  const folder = await openFolder(options.dataDirectory);
  const example = await readExample();
  const foundation = await layFoundation(options, folder, example.image, started, narrator, signal);
  const { controlPlane, key, executor } = foundation;
  signal.throwIfAborted();
  if (!(await hasGit())) {
    narrator.warn('Git is not installed: stacks with a repository cannot run here. The example needs none.');
  }
  const { apiUrl, brokerAddress } = controlPlane;
  narrator.fact('started', { apiUrl, brokerAddress, dataDirectory: folder.path, executor }, [
    `Control plane on ${apiUrl}, broker on ${brokerAddress}, data in ${folder.path}`,
  ]);

  const client = await openClient(controlPlane, folder, started);
  const pool = await openPool(client, key, narrator);
  const noLauncher = new AbortController();
  started.launchers = await startLaunchers(
    { folder, token: pool.token, privateKey: key.privateKey, executor, environment: process.env },
    narrator,
    () => {
      noLauncher.abort(new PoolwrightError('UNAVAILABLE', 'No launcher keeps running. Their logs say why.'));
    },
  );
  narrator.fact('pool', { id: pool.id, name: poolName, launchers: launcherCount }, [
    `Pool ${poolName} with ${String(launcherCount)} launchers; their runs happen ${executor === 'docker' ? 'in containers' : 'on this machine'}`,
  ]);

  await openExample(client, example, pool.id);
  const run = await startExampleRun(client, example.id);
  narrator.fact('run', { stack: example.id, id: run.id }, [`Run ${run.id} of the stack ${example.id}`]);
  const watching = AbortSignal.any([signal, noLauncher.signal]);
  const ended = await watchExampleRun(client, example.id, run.id, narrator, watching);
  if (ended.failure !== null) narrator.warn(`${ended.failure.code}: ${ended.failure.message}`);
  const finished = ended.state === 'FINISHED';
  narrator.fact('ended', { stack: example.id, id: run.id, state: ended.state }, []);
  if (options.once) return finished;

  const signInLink = await controlPlane.signInLink();
  narrator.fact('ready', { apiUrl, signInLink, profile: folder.profileFile }, [
    '',
    `The page:      ${apiUrl}`,
    `Sign in once:  ${signInLink}`,
    `On the line:   npx poolwright run list ${example.id} --profile ${folder.profileFile}`,
    '',
    'Ctrl-C ends everything that was started here.',
  ]);
  return finished;
}

/**
 * Runs the local pool. Resolves when everything that was started has ended: after Ctrl-C, or with `once`
 * after the example's run. The result is false only when that run did not finish and `once` asked for it.
 */
export async function runLocal(options: LocalOptions, output: Output): Promise<boolean> {
  const narrator = createNarrator(output);
  const started: Started = { launchers: [], closers: [] };
  const stop = takeStopSignals(() => {
    for (const launcher of started.launchers) launcher.abandon();
  });
  try {
    const finished = await story(options, started, narrator, stop.signal);
    if (options.once) return finished;
    await aborted(stop.signal);
    return true;
  } catch (error) {
    // Ctrl-C while something was under way shows as whatever that broke; the person asked for it.
    if (!stop.signal.aborted) throw error;
    return !options.once;
  } finally {
    if (stop.signal.aborted) narrator.say('Stopping …');
    await end(started);
    stop.release();
  }
}
