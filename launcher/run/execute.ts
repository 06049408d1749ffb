// The work of one stage: prepare files and world, ask to begin, run the phases, keep the workspace.
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import { isReadRun } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { Clock } from '../clock.js';
import type { Executor, RunWorld, WorldRequest } from '../executors/executor.js';
import { policyInput, type PolicyWorker } from '../policy/input.js';
import type { Policy } from '../policy/policy.js';
import type { ContainerSettings, Settings } from '../settings/settings.js';
import { asFault } from './attempt-fault.js';
import { environmentOf } from './environment.js';
import type { Journal } from './journal.js';
import { startLimits } from './limits.js';
import { reportOutputs } from './outputs.js';
import type { Phase } from './phase.js';
import type { AttemptRecord, Past } from './record.js';
import type { KeepWorkspace, PrepareSource } from './source/source.js';
import type { Recovered } from './spool.js';
import { countSteps, runPhases } from './steps.js';
import type { WorkerApi } from './worker-api.js';

/** What a stage needs of the launcher's settings. */
export interface StageSettings extends Pick<
  Settings,
  | 'privateKey'
  | 'passedVariables'
  | 'maskedVariables'
  | 'timeouts'
  | 'debug'
  | 'vcsMappings'
  | 'proxies'
  | 'sensitiveOutputs'
> {
  readonly containers: Pick<ContainerSettings, 'defaultImage'>;
}

/** The policy of this worker, and what it sees of it. */
export interface RunPolicy {
  readonly policy: Policy;
  readonly worker: PolicyWorker;
}

export interface StageDependencies {
  readonly settings: StageSettings;
  /** Absolute: the folder with the run's files, where that is not for the attempt to make. */
  readonly workspace?: string;
  readonly executor: Executor;
  readonly prepareSource: PrepareSource;
  readonly keepWorkspace: KeepWorkspace;
  readonly phasesOf: (assignment: Assignment) => readonly Phase[];
  /** Asked before anything is prepared; null when there is none. */
  readonly policy: RunPolicy | null;
  readonly clock: Clock;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
  /** The launcher's own environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** Ends whatever earlier processes of this worker's life have started. Default: there is nothing. */
  readonly sweep?: () => Promise<unknown>;
  /** Name and version of this worker, for the first line of the log. */
  readonly greeting: string;
}

export interface StageRequest {
  readonly deps: StageDependencies;
  readonly assignment: Assignment;
  readonly api: WorkerApi;
  /** Absolute: the attempt's own. */
  readonly folder: string;
  readonly journal: Journal;
  readonly record: AttemptRecord;
  /** How far earlier processes have come, and what they left in the spool. */
  readonly past: Past;
  readonly recovered: Recovered;
  readonly signal: AbortSignal;
  /** Told as soon as it is known. */
  readonly onCommit: (commit: string | null) => void;
  readonly onBegun: () => void;
  /** The run takes too long or is silent for too long; aborts `signal`. */
  readonly onOver: (error: PoolwrightError) => void;
}

export interface StageProduct {
  readonly changes: Changes | null;
  /** The object that the next stage starts from. */
  readonly workspace: string | null;
}

/**
 * Throws what went wrong; everything that was started has ended then, too. Where an earlier process has begun, it
 * goes on; where that one only prepared, nothing of the run was executed, and it is prepared anew.
 */
export async function executeStage(request: StageRequest): Promise<StageProduct> {
  const { deps, assignment, journal, past } = request;
  const { settings } = deps;
  if (past.processes === 0) {
    journal.enter('PREPARING');
    journal.line(deps.greeting);
  }
  const environment = environmentOf(assignment, settings, settings.privateKey, deps.environment);
  journal.hide(environment.secrets);
  const phases = deps.phasesOf(assignment);
  const world = past.begunAt === null ? await prepareAndBegin(request) : await goOn(request, phases);
  try {
    const changes = await work(request, world, phases, environment.variables);
    await closeWorld(request, world);
    return { changes, workspace: await keep(request, changes) };
  } catch (error) {
    await noteFailure(request, error);
    await closeWorld(request, world);
    throw error;
  }
}

/** May be called twice. How the run went is not changed by what cannot be removed: the executor sees to that. */
async function closeWorld({ journal }: StageRequest, world: RunWorld | undefined): Promise<void> {
  try {
    await world?.close();
  } catch (error) {
    journal.line(
      `What the run was executed in cannot be removed now (${messageOf(error)}); that happens before the next run comes here.`,
    );
  }
}

/**
 * Kept before what the run was executed in goes: the next process would find neither that nor the cause. What ends a
 * run from outside is not noted; it comes again.
 */
async function noteFailure({ journal, record, signal }: StageRequest, error: unknown): Promise<void> {
  if (signal.aborted) return;
  // The output first: a step that has failed is not followed again.
  journal.endOutput();
  await journal.settled();
  const { code, message } = asFault(error);
  // On a full disk it cannot be noted, and is told all the same when this process lives on.
  await record.append({ k: 'failed', code, message }).catch(() => undefined);
}

/** Throws RUN_DENIED. */
async function askPolicy({ deps, assignment, journal }: StageRequest): Promise<void> {
  if (deps.policy === null) return;
  const { policy, worker } = deps.policy;
  const printed = await policy.assertAllowed(policyInput(assignment, worker, deps.now()));
  for (const line of printed) journal.line(`The run initialization policy prints: ${line}`);
}

async function prepareAndBegin(request: StageRequest): Promise<RunWorld> {
  const { api, signal, record, past, journal, deps, folder } = request;
  await askPolicy(request);
  if (past.processes > 0) {
    journal.line('The launcher was killed while it prepared the run, and prepares it anew.');
    // Of an earlier process there may be a world without a single command in it, and half of the files.
    await deps.executor
      .adopt(worldRequest(request, signal))
      .then((world) => world.close(), ignoreInterrupted);
    for (const name of ['workspace', 'scratch', 'home', 'output'])
      await rm(join(folder, name), { recursive: true, force: true });
  }
  if (deps.workspace === undefined) await mkdir(join(folder, 'workspace'), { mode: 0o700 });
  await mkdir(join(folder, 'scratch'), { mode: 0o700 });
  const world = await prepare(request);
  try {
    await api.begin(signal);
    await record.append({ k: 'begun', at: deps.clock.monotonic() });
    request.onBegun();
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** Undefined when there is nothing left to run. Throws RUN_INTERRUPTED. */
async function goOn(request: StageRequest, phases: readonly Phase[]): Promise<RunWorld | undefined> {
  const { deps, journal, past, signal } = request;
  request.onBegun();
  request.onCommit(past.commit);
  if (past.executor !== deps.executor.kind) throw await executedElsewhere(request);
  const adopted = deps.executor.adopt(worldRequest(request, signal));
  if (past.failure !== null) {
    await adopted.then((world) => world.close(), ignoreInterrupted);
    throw new PoolwrightError(past.failure.code, past.failure.message);
  }
  if (past.ended === countSteps(phases)) {
    await adopted.then((world) => world.close(), ignoreInterrupted);
    return undefined;
  }
  journal.line('The launcher was killed and started again; the run goes on.');
  return adopted;
}

/** Nothing of the run goes on by the time that its failure is told. */
async function executedElsewhere({ deps, past }: StageRequest): Promise<PoolwrightError> {
  const left = await Promise.resolve(deps.sweep?.()).then(
    () => '',
    (error: unknown) => ` What it had started may still run: ${messageOf(error)}`,
  );
  return new PoolwrightError(
    'RUN_INTERRUPTED',
    `The run was cut off: the launcher that had begun it was killed, and the one after it executes runs by ` +
      `"${deps.executor.kind}" instead of "${String(past.executor)}" (POOLWRIGHT_EXECUTOR). What it had changed by then ` +
      `stays changed; look there before you trigger it anew.${left}`,
  );
}

function ignoreInterrupted(error: unknown): void {
  if (!(error instanceof PoolwrightError) || error.code !== 'RUN_INTERRUPTED') throw error;
}

async function work(
  request: StageRequest,
  world: RunWorld | undefined,
  phases: readonly Phase[],
  environment: Readonly<Record<string, string>>,
): Promise<Changes | null> {
  const { deps, assignment, api, journal, record, past, recovered, signal, onOver } = request;
  if (world === undefined) return past.changes;
  const { clock, settings } = deps;
  const elapsed = past.begunAt === null ? 0 : clock.monotonic() - past.begunAt;
  const limits = startLimits({ clock, timeouts: settings.timeouts, elapsed, onOver });
  try {
    const { projectRoot } = assignment;
    return await runPhases({
      phases,
      world,
      environment,
      projectRoot,
      journal,
      record,
      past,
      recovered,
      limits,
      onOutputs: (outputs) =>
        reportOutputs(outputs, {
          stack: assignment.stack,
          sensitive: settings.sensitiveOutputs,
          privateKey: settings.privateKey,
          api,
          onLine: (line) => {
            journal.line(line);
          },
          signal,
        }),
      debug: settings.debug,
      signal,
    });
  } finally {
    limits.close();
  }
}

function workspaceOf({ deps, folder }: StageRequest): string {
  return deps.workspace ?? join(folder, 'workspace');
}

function worldRequest(request: StageRequest, signal: AbortSignal): WorldRequest {
  const { deps, journal } = request;
  const { run, attempt, runnerImage, runType } = request.assignment;
  return {
    run,
    attempt,
    workspace: workspaceOf(request),
    image: runnerImage ?? deps.settings.containers.defaultImage,
    readRun: isReadRun(runType),
    onNotice: (line) => {
      journal.line(line);
    },
    signal,
  };
}

/** Files and world at the same time; when one fails, the other is ended. */
async function prepare(request: StageRequest): Promise<RunWorld> {
  const { deps, assignment, api, folder, journal } = request;
  const { settings, executor } = deps;
  const { run } = assignment;
  const workspace = workspaceOf(request);
  const onLine = (line: string) => {
    journal.line(line);
  };
  const failure = new AbortController();
  const signal = AbortSignal.any([request.signal, failure.signal]);
  const guarded = <Value>(part: Promise<Value>) =>
    part.catch((error: unknown) => {
      failure.abort(error);
      throw error;
    });
  const [world, source] = await Promise.allSettled([
    guarded(executor.open(worldRequest(request, signal))),
    guarded(
      deps.prepareSource({
        run,
        source: assignment.source,
        workspace: assignment.workspace,
        folder: workspace,
        scratch: join(folder, 'scratch'),
        privateKey: settings.privateKey,
        vcsMappings: settings.vcsMappings,
        proxies: settings.proxies,
        fetchObject: (object, file) => api.fetchObject(object, file, signal),
        onLine,
        signal,
      }),
    ),
  ]);
  if (world.status === 'fulfilled' && source.status === 'fulfilled') {
    const { commit } = source.value;
    await request.record.append({ k: 'commit', commit });
    request.onCommit(commit);
    await assertProjectRoot(workspace, assignment.projectRoot, world.value);
    return world.value;
  }
  if (world.status === 'fulfilled') await world.value.close();
  // The first fault is the one that counts: the other part only heard of it.
  throw failure.signal.reason as Error;
}

async function assertProjectRoot(
  workspace: string,
  projectRoot: string | null,
  world: RunWorld,
): Promise<void> {
  if (projectRoot === null) return;
  const found = await stat(join(workspace, projectRoot)).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  await world.close();
  throw new PoolwrightError(
    'SOURCE_UNAVAILABLE',
    `The files of the run have no folder ${JSON.stringify(projectRoot)}, which the stack names as its project root.`,
  );
}

/** What the next stage needs, sealed and stored; null when there is none. */
async function keep(request: StageRequest, changes: Changes | null): Promise<string | null> {
  const { deps, assignment, api, folder, journal, signal } = request;
  if (assignment.stage !== 'PLAN' || assignment.runType !== 'TRACKED' || changes?.any === false) return null;
  journal.line('Keeping the workspace, sealed for this pool, for the apply.');
  const file = join(folder, 'scratch', 'workspace.sealed');
  // An earlier process may have been killed over it.
  await rm(file, { force: true });
  const { run } = assignment;
  const { privateKey } = deps.settings;
  await deps.keepWorkspace({ run, folder: workspaceOf(request), file, privateKey, signal });
  return api.putWorkspace(file, signal);
}
