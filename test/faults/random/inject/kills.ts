// Processes that end: launchers, control planes, and what runs consist of.
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { markedProcesses } from '../../../../launcher/executors/host-processes.js';
import { processesOfContainer } from '../engine.js';
import type { Fleet } from '../fleet.js';
import type { Happened } from '../judge.js';
import { eventually } from '../patience.js';
import { everyone, inTurn, placeOf, type FaultOf, type Stage } from './stage.js';

/** Another one goes on where it was. */
export function killLauncher(stage: Stage, fault: FaultOf<'kill-launcher'>): Promise<Happened> {
  const place = placeOf(stage, fault.launcher);
  return inTurn(place, async () => {
    const { launcher } = place;
    const workers = new Set(launcher.workers);
    const from = Date.now();
    await launcher.program.end('SIGKILL');
    await sleep(fault.down);
    const before = launcher.registrations;
    launcher.program.start();
    await launcher.registered(before);
    return { fault, from, to: Date.now(), workers };
  });
}

/** Launcher, runs and files are gone at once; another machine comes in its place. */
export function loseMachine(stage: Stage, fault: FaultOf<'lose-machine'>): Promise<Happened> {
  const place = placeOf(stage, fault.launcher);
  return inTurn(place, async () => {
    const { launcher } = place;
    const workers = new Set(launcher.workers);
    const from = Date.now();
    await launcher.program.end('SIGKILL');
    for (const worker of workers) await killRunsOf(stage.fleet, worker);
    await place.machine?.close();
    await rm(launcher.state, { recursive: true, force: true, maxRetries: 5 });
    await stage.fleet.settle(place);
    await place.launcher.registered(0);
    return { fault, from, to: Date.now(), workers };
  });
}

/** SIGTERM: it finishes what it has. Twice: it ends that, too. Another one is started after it. */
export function endLauncher(
  stage: Stage,
  fault: FaultOf<'end-launcher' | 'stop-launcher'>,
): Promise<Happened> {
  const place = placeOf(stage, fault.launcher);
  return inTurn(place, async () => {
    const { launcher } = place;
    const { program } = launcher;
    const workers = new Set(launcher.workers);
    const from = Date.now();
    program.process?.kill('SIGTERM');
    if (fault.kind === 'stop-launcher') {
      await sleep(fault.after);
      program.process?.kill('SIGTERM');
    }
    await eventually(
      () => !program.running,
      () => `a launcher to end that was told to; it said ${program.said()}`,
    );
    const { exitCode, signalCode } = program.process ?? {};
    if (exitCode !== 0)
      throw new Error(
        `a launcher that was told to end ended with ${String(exitCode ?? signalCode)}, expected 0; it said ${program.said()}`,
      );
    const before = launcher.registrations;
    program.start();
    await launcher.registered(before);
    return { fault, from, to: Date.now(), workers };
  });
}

export function killControlPlane({ fleet }: Stage, fault: FaultOf<'kill-control-plane'>): Promise<Happened> {
  return inTurn(fleet.controlPlane, async () => {
    const from = Date.now();
    const workers = everyone(fleet);
    await fleet.controlPlane.program.end('SIGKILL');
    await sleep(fault.down);
    await fleet.controlPlane.start();
    return { fault, from, to: Date.now(), workers };
  });
}

/** Milliseconds that it waits for something to run there. */
const patience = 1_500;

/** kill -9 of what a run consists of at that moment. Undefined when nothing ran. */
export async function killRun(stage: Stage, fault: FaultOf<'kill-run'>): Promise<Happened | undefined> {
  const { launcher } = placeOf(stage, fault.launcher);
  const end = performance.now() + patience;
  while (performance.now() < end) {
    const { worker } = launcher;
    const found = worker === undefined ? [] : await processesOf(stage.fleet, worker);
    const victims = fault.whole ? found : await programsOf(found);
    const from = Date.now();
    const hits = fault.whole ? victims.filter(kill) : victims.slice(-1).filter(kill);
    if (worker !== undefined && hits.length > 0)
      return { fault, from, to: Date.now(), workers: new Set([worker]) };
    await sleep(50);
  }
  return undefined;
}

/** What the runs of a worker consist of, on this machine or in containers. */
async function processesOf({ engine }: Fleet, worker: string): Promise<number[]> {
  if (engine === undefined) return markedProcesses(`${worker}.`);
  const ids = await inTurn(engine, () => engine.containers(worker));
  return (await Promise.all(ids.map(processesOfContainer))).flat().sort((left, right) => left - right);
}

/** Without what carries the output: lines that it has in hand would be lost with it. */
async function programsOf(pids: readonly number[]): Promise<number[]> {
  const names = await Promise.all(
    pids.map((pid) => readFile(`/proc/${String(pid)}/comm`, 'utf8').catch(() => 'dd')),
  );
  return pids.filter((_, index) => names[index]?.trim() !== 'dd');
}

async function killRunsOf(fleet: Fleet, worker: string): Promise<void> {
  const { engine } = fleet;
  if (engine !== undefined)
    await inTurn(engine, async () => {
      await engine.remove(await engine.containers(worker));
    });
  else
    for (;;) {
      const found = await markedProcesses(`${worker}.`);
      if (found.length === 0) return;
      found.forEach(kill);
      await sleep(5);
    }
}

/** Whether it was there. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
    return false;
  }
}
