// Before the first command of a run: its policy is asked, files and world are prepared, and begin is asked for.
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunWorld } from '../executors/executor.js';
import { markOf } from '../executors/host-processes.js';
import { policyInput } from '../policy/input.js';
import { discardWorld } from './go-on.js';
import type { RunLimits } from './limits.js';
import { workspaceOf, worldRequest, type StageRequest } from './stage.js';

/** What is below an attempt's folder of files and world. */
const prepared = ['workspace', 'scratch', 'home', 'output'] as const;

/**
 * Throws RUN_DENIED, and why something cannot be prepared; nothing that was made for the run is left then. Source and image
 * have to be heard of within the limits; what waits for the control plane waits as long as that is away.
 */
export async function prepareAndBegin(request: StageRequest, limits: RunLimits): Promise<RunWorld> {
  const { api, signal, record, past, journal, deps, folder, assignment } = request;
  await askPolicy(request);
  if (past.processes > 0) {
    journal.line('The launcher was killed while it prepared the run, and prepares it anew.');
    // Of an earlier process there may be a world without a single command in it, and half of the files.
    await discardWorld(request);
    // What fetched them may go on, and write into a folder that is filled anew.
    await deps.sweep?.();
    for (const name of prepared) await rm(join(folder, name), { recursive: true, force: true });
  }
  if (deps.workspace === undefined) await mkdir(join(folder, 'workspace'), { mode: 0o700 });
  await mkdir(join(folder, 'scratch'), { mode: 0o700 });
  const { world, commit } = await openTogether(request, limits);
  try {
    await record.append({ k: 'commit', commit });
    request.onCommit(commit);
    await assertProjectRoot(workspaceOf(request), assignment.projectRoot);
    await limits.apart(() => api.begin(signal));
    await record.append({ k: 'begun', at: limits.since });
    request.onBegun();
    return world;
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** Throws RUN_DENIED. */
async function askPolicy({ deps, assignment, journal }: StageRequest): Promise<void> {
  if (deps.policy === null) return;
  const { policy, worker } = deps.policy;
  const printed = await policy.assertAllowed(policyInput(assignment, worker, deps.now()));
  for (const line of printed) journal.line(`The run initialization policy prints: ${line}`);
}

/** Files and world at the same time; when one fails, the other is ended. */
async function openTogether(
  request: StageRequest,
  limits: RunLimits,
): Promise<{ readonly world: RunWorld; readonly commit: string | null }> {
  const { deps, assignment, api, folder, journal } = request;
  const { privateKey, vcsMappings, proxies } = deps.settings;
  const failure = new AbortController();
  const signal = AbortSignal.any([request.signal, failure.signal]);
  const onLine = (line: string) => {
    limits.heard();
    journal.line(line);
  };
  const guarded = <Value>(part: Promise<Value>) =>
    part.catch((error: unknown) => {
      failure.abort(error);
      throw error;
    });
  const [world, source] = await Promise.allSettled([
    guarded(deps.executor.open({ ...worldRequest(request, signal), onNotice: onLine })),
    guarded(
      deps.prepareSource({
        run: assignment.run,
        source: assignment.source,
        workspace: assignment.workspace,
        mark: `${markOf(assignment.worker, assignment)}.source`,
        folder: workspaceOf(request),
        scratch: join(folder, 'scratch'),
        privateKey,
        vcsMappings,
        proxies,
        environment: deps.environment,
        fetchObject: (object, file) => limits.apart(() => api.fetchObject(object, file, signal)),
        onLine,
        onProgress: () => {
          limits.heard();
        },
        signal,
      }),
    ),
  ]);
  if (world.status === 'fulfilled' && source.status === 'fulfilled')
    return { world: world.value, commit: source.value.commit };
  if (world.status === 'fulfilled') await world.value.close();
  // The first fault is the one that counts: the other part only heard of it.
  throw failure.signal.reason as Error;
}

/** Throws SOURCE_UNAVAILABLE. */
async function assertProjectRoot(workspace: string, projectRoot: string | null): Promise<void> {
  if (projectRoot === null) return;
  const found = await stat(join(workspace, projectRoot)).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new PoolwrightError(
    'SOURCE_UNAVAILABLE',
    `The files of the run have no folder ${JSON.stringify(projectRoot)}, which the stack names as its project root.`,
  );
}
