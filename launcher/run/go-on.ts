// Goes on with a run that an earlier process of this worker's life had begun.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { RunWorld } from '../executors/executor.js';
import type { Phase } from './phase.js';
import { worldRequest, type StageRequest } from './stage.js';
import { countSteps } from './steps.js';

/** Undefined when there is nothing left to run. Throws RUN_INTERRUPTED, and what had failed before. */
export async function goOn(request: StageRequest, phases: readonly Phase[]): Promise<RunWorld | undefined> {
  const { deps, journal, past } = request;
  request.onBegun();
  request.onCommit(past.commit);
  if (past.executor !== deps.executor.kind) throw await executedElsewhere(request);
  const { failure } = past;
  if (failure !== null || past.ended === countSteps(phases)) {
    await discardWorld(request);
    if (failure !== null) throw new PoolwrightError(failure.code, failure.message);
    return undefined;
  }
  journal.line('The launcher was killed and started again; the run goes on.');
  return deps.executor.adopt(worldRequest(request));
}

/** Removes the world that an earlier process has opened, should it be there. */
export async function discardWorld(request: StageRequest): Promise<void> {
  let world: RunWorld;
  try {
    world = await request.deps.executor.adopt(worldRequest(request));
  } catch (error) {
    if (error instanceof PoolwrightError && error.code === 'RUN_INTERRUPTED') return;
    throw error;
  }
  await world.close();
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
