// What people do meanwhile: they stop runs, and drain workers.
import { setTimeout as sleep } from 'node:timers/promises';
import { stopRun } from '../../../../control-plane/cli/api/runs.js';
import { setDrained } from '../../../../control-plane/cli/api/workers.js';
import { PoolwrightError, type ErrorCode } from '../../../../protocol/errors.js';
import type { Happened } from '../judge.js';
import { eventually, patiently } from '../patience.js';
import { placeOf, type FaultOf, type Stage } from './stage.js';

export async function stop(
  { fleet, started }: Stage,
  fault: FaultOf<'stop-run'>,
): Promise<Happened | undefined> {
  const index = fault.run % started.length;
  await eventually(
    () => started[index] !== undefined,
    () => `run ${String(index)} to be started`,
  );
  const run = started[index];
  if (run === undefined) return undefined;
  const from = Date.now();
  // It may have ended by itself.
  await unless('CONFLICT', () => patiently(() => stopRun(fleet.client, run.stack, run.run)));
  return { fault, from, to: Date.now(), workers: new Set(), run: run.run };
}

/** Undefined when the control plane does not know the worker (yet). */
export async function drain(stage: Stage, fault: FaultOf<'drain'>): Promise<Happened | undefined> {
  const { fleet } = stage;
  const place = placeOf(stage, fault.launcher);
  const { worker } = place.launcher;
  if (worker === undefined) return undefined;
  const from = Date.now();
  const set = (drained: boolean) =>
    unless('NOT_FOUND', () => patiently(() => setDrained(fleet.client, fleet.pool, worker, drained)));
  const answer = await set(true);
  if (answer === undefined) return undefined;
  const answered = Date.now();
  await sleep(fault.lasts);
  const asked = Date.now();
  // A worker that is out of contact may be forgotten for a while, and is drained when it comes back.
  await eventually(
    async () => (await set(false)) !== undefined || place.launcher.worker !== worker,
    () => `worker ${worker} to be there again and undrained`,
  );
  const free = answer.busy ? {} : { idle: { from: answered, to: asked } };
  const to = Date.now();
  return { fault, from, to, workers: new Set([worker]), undrained: { from: asked, to }, ...free };
}

/** Undefined for the error that is expected. */
async function unless<Value>(code: ErrorCode, call: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof PoolwrightError && error.code === code) return undefined;
    throw error;
  }
}
