// The container `init` of a run pod: the files of the run, and the bridge between the two containers that follow.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError, type Fault } from '../../../protocol/errors.js';
import { systemClock } from '../../clock.js';
import { markOf } from '../../executors/host-processes.js';
import { policyInput } from '../../policy/input.js';
import { openPolicy } from '../../policy/policy.js';
import { createJournal, type Journal } from '../../run/journal.js';
import type { RunPrinter } from '../../run/printer.js';
import { prepareSource } from '../../run/source/prepare.js';
import { openSpool } from '../../run/spool.js';
import { startUploader } from '../../run/uploader.js';
import { readVcsMappings } from '../../settings/families.js';
import { variables } from '../../settings/variables.js';
import { writeOut } from '../../standard-output.js';
import type { LastWord } from './assignment-files.js';
import { makePipe } from './bridge.js';
import { inContainer, isStale, type Container, type ContainerOptions } from './container.js';
import { runLogsOf } from './run-logs.js';
import { workerScript } from './worker-script.js';

/** Below the state folder: what `launcher-grpc` has to know of the preparation. */
export const preparedFile = 'prepared.json';

/** Resolves to the exit code. */
export function runInit(options: ContainerOptions = {}): Promise<number> {
  return inContainer(options, prepare);
}

async function prepare(container: Container, terminated: AbortSignal): Promise<LastWord> {
  const { api, log, places, acknowledged, now } = container;
  const spool = await openSpool({
    path: join(places.state, 'init.ndjson'),
    now,
    after: acknowledged,
    // Nobody goes on where this container was killed.
    note: () => Promise.resolve(),
  });
  let printer: RunPrinter | undefined;
  const journal = createJournal({ spool, clock: systemClock, onText: (text) => printer?.text(text) });
  const delivery = new AbortController();
  const stale = new AbortController();
  const uploader = startUploader({
    spool,
    after: acknowledged,
    api,
    log,
    signal: delivery.signal,
    onStale: (error) => {
      stale.abort(error);
    },
  });
  uploader.done.catch(() => undefined);
  const signal = AbortSignal.any([terminated, stale.signal]);
  let word: LastWord = { delivered: false, outcome: 'prepared' };
  try {
    const { assignment } = container.secret;
    printer = runLogsOf({ assignment, environments: [process.env], write: writeOut, now });
    await fill(container, journal, signal);
  } catch (error) {
    if (stale.signal.aborted || isStale(error)) return { delivered: true, outcome: 'dropped' };
    if (terminated.aborted) word = { delivered: false, outcome: 'failed' };
    else {
      const code = error instanceof PoolwrightError ? error.code : 'INTERNAL';
      const message = messageOf(error);
      journal.line(message);
      journal.endOutput();
      spool.add({
        k: 'result',
        outcome: 'failed',
        code,
        message: message.slice(0, 8192),
        changes: null,
        workspace: null,
        commit: null,
      });
      word = { delivered: true, outcome: 'failed' };
    }
  }
  journal.endOutput();
  printer?.end();
  await spool.finish();
  await uploader.done;
  await spool.close();
  return stale.signal.aborted ? { delivered: true, outcome: 'dropped' } : word;
}

/** Throws what prepareSource throws; RUN_DENIED, UNSUPPORTED, INVALID_SETTINGS; the signal's reason. */
async function fill(container: Container, journal: Journal, signal: AbortSignal): Promise<void> {
  const { secret, api, places } = container;
  const { assignment, privateKey } = secret;
  journal.enter('PREPARING');
  journal.line(secret.greeting);
  journal.hide([assignment.bulk.token]);
  await assertAllowed(container, journal);
  const faults: Fault[] = [];
  const vcsMappings = readVcsMappings(process.env, faults);
  if (faults.length > 0) {
    const text = faults.map(({ path, reason }) => `${path}: ${reason}`).join('; ');
    throw new PoolwrightError('INVALID_SETTINGS', `spec.pod.initContainer.env has faults: ${text}`);
  }
  const folder = join(places.workspace, 'source');
  const scratch = join(places.state, 'scratch');
  // The volume may be one that another run has used.
  await rm(folder, { recursive: true, force: true });
  for (const path of [folder, scratch, join(places.workspace, 'home')])
    await mkdir(path, { recursive: true, mode: 0o770 });
  const { commit } = await prepareSource({
    run: assignment.run,
    source: assignment.source,
    workspace: assignment.workspace,
    mark: `${markOf(assignment.worker, assignment)}.source`,
    folder,
    scratch,
    privateKey,
    vcsMappings,
    proxies: container.proxies,
    environment: process.env,
    fetchObject: (object, file) => api.fetchObject(object, file, signal),
    onLine: (line) => {
      journal.line(line);
    },
    signal,
  });
  await makeBridge(places.bridge);
  await writeFile(join(places.state, preparedFile), JSON.stringify({ commit }));
}

/** Asks the policy of the pool, before anything is fetched. Throws RUN_DENIED, INVALID_SETTINGS, UNSUPPORTED. */
async function assertAllowed({ secret, places, now }: Container, journal: Journal): Promise<void> {
  const file = process.env[variables.initializationPolicy.name] ?? '';
  if (file === '') return;
  const policy = await openPolicy({ file, environment: process.env, folder: places.state });
  const { assignment, defaultImage, metadata } = secret;
  const printed = await policy.assertAllowed(policyInput(assignment, { defaultImage, metadata }, now()));
  for (const line of printed) journal.line(`The run initialization policy prints: ${line}`);
}

/** The pipes and the worker's program. */
async function makeBridge(folder: string): Promise<void> {
  await makePipe(join(folder, 'orders'));
  await makePipe(join(folder, 'words'));
  await writeFile(join(folder, 'worker.sh'), workerScript, { mode: 0o755 });
}
