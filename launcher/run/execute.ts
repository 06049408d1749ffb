// The work of one stage: prepare or go on, run the phases, keep the workspace, and leave nothing behind.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../protocol/errors.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { RunWorld } from '../executors/executor.js';
import { asFault } from './attempt-fault.js';
import { environmentOf } from './environment.js';
import { goOn } from './go-on.js';
import { startLimits, type RunLimits } from './limits.js';
import { reportOutputs } from './outputs.js';
import type { Phase } from './phase.js';
import { prepareAndBegin } from './prepare.js';
import { workspaceOf, type StageProduct, type StageRequest } from './stage.js';
import { runPhases } from './steps.js';

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
  // Before the clocks start: how the run has ended by then counts more than that its time is over meanwhile.
  const found = past.begunAt === null ? undefined : await goOn(request, phases);
  const limits = limitsOf(request);
  try {
    const world = past.begunAt === null ? await prepareAndBegin(request, limits) : found;
    try {
      const changes = await work(request, world, phases, environment.variables, limits);
      // From here on nothing of the run is executed that could print.
      return await limits.apart(async () => {
        await closeWorld(request, world);
        return { changes, workspace: await keep(request, changes) };
      });
    } catch (error) {
      await noteFailure(request, error);
      await closeWorld(request, world);
      throw error;
    }
  } finally {
    limits.close();
  }
}

/** They hold from the first look at source and image until the workspace is kept. */
function limitsOf({ deps, journal, past, onOver }: StageRequest): RunLimits {
  const { clock, settings } = deps;
  // A machine that was started again has a clock that knows nothing of the time before.
  const elapsed = past.begunAt === null ? 0 : Math.max(0, clock.monotonic() - past.begunAt);
  return startLimits({ clock, timeouts: settings.timeouts, elapsed, state: () => journal.state, onOver });
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

async function work(
  request: StageRequest,
  world: RunWorld | undefined,
  phases: readonly Phase[],
  environment: Readonly<Record<string, string>>,
  limits: RunLimits,
): Promise<Changes | null> {
  const { deps, assignment, api, journal, record, past, recovered, signal } = request;
  if (world === undefined) return past.changes;
  const { settings } = deps;
  const { projectRoot } = assignment;
  return runPhases({
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
      limits.apart(() =>
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
      ),
    debug: settings.debug,
    signal,
  });
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
