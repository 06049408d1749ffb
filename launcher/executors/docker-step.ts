// One step in a running container: an exec that hangs on nobody, followed by its files, and its end.
import type Docker from 'dockerode';
import { sleep, type Clock } from '../clock.js';
import type { Step, StepEnd, StepSink } from './executor.js';
import { patiently, statusOf } from './docker-engine.js';
import { endOf, type Kills } from './step-end.js';
import { followStep, processOf } from './step-output.js';
import { stepScript } from './step-script.js';

export interface ExecRequest {
  readonly docker: Docker;
  readonly container: Docker.Container;
  readonly step: Step;
  readonly sink: StepSink;
  /** Where the files of steps are, on this machine and in the container. */
  readonly outputs: { readonly here: string; readonly there: string };
  readonly stop: AbortSignal;
  readonly clock: Clock;
  readonly kills: Kills;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** Milliseconds that the engine may be away. */
  readonly outage: number;
}

/** Throws what the engine's client throws. */
export async function runExec(request: ExecRequest): Promise<StepEnd> {
  const { container, step, sink, outputs, stop, clock, kills, outage } = request;
  const killsBefore = await kills();
  // A step that is started a second time, because an answer was lost, is not executed a second time.
  await patiently(clock, outage, async () => {
    const exec = await container.exec({
      Cmd: ['/bin/sh', '-c', stepScript, 'step', `${outputs.there}/${String(step.number)}`, step.script],
      Env: Object.entries(step.environment).map(([name, value]) => `${name}=${value}`),
      WorkingDir: step.workingDirectory,
    });
    await exec.start({ Detach: true });
  });
  const over = new AbortController();
  let ending: Promise<void> = Promise.resolve();
  /** Why it could not be ended. */
  let undead: { readonly fault: unknown } | undefined;
  const onAbort = () => {
    ending = endSteps(request, over.signal).catch((fault: unknown) => {
      undead = { fault };
    });
  };
  stop.addEventListener('abort', onAbort, { once: true });
  if (stop.aborted) onAbort();
  const isAlive = watchExecs(request);
  try {
    const outcome = await followStep({
      folder: outputs.here,
      step: step.number,
      sink,
      clock,
      stop,
      alive: () => {
        if (undead !== undefined) throw undead.fault;
        return isAlive();
      },
    });
    over.abort();
    await ending;
    if (stop.aborted) return { exitCode: null, signal: 'SIGKILL', cause: 'killed' };
    return await endOf(
      outcome,
      async () => (await wasOutOfMemory(container)) || (await kills()) > killsBefore,
    );
  } finally {
    over.abort();
    stop.removeEventListener('abort', onAbort);
  }
}

/**
 * As `hasExecs`. While the engine is away, or refuses to say, a step counts as alive, for `outage` at most: its output does
 * not need it, and a container that is just ending refuses for a moment before it is seen to have ended.
 */
function watchExecs(request: ExecRequest): () => Promise<boolean> {
  const { clock, outage } = request;
  let unknownSince: number | undefined;
  return async () => {
    try {
      const answer = await hasExecs(request);
      unknownSince = undefined;
      return answer;
    } catch (error) {
      unknownSince ??= clock.monotonic();
      if (clock.monotonic() - unknownSince >= outage) throw error;
      return true;
    }
  };
}

/** Whether the container runs, and something in it besides what keeps it open. */
async function hasExecs(request: ExecRequest): Promise<boolean> {
  const { docker, container } = request;
  const state = await there(() => container.inspect());
  if (state?.State.Running !== true) return false;
  for (const id of (state.ExecIDs as readonly string[] | null) ?? []) {
    if ((await there(() => docker.getExec(id).inspect()))?.Running === true) return true;
  }
  return lives(request);
}

/** Undefined when what is asked for is not there any more. */
async function there<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The step's own process is asked for: an engine that was started again under its containers has forgotten its execs. */
async function lives({ docker, container, step, outputs, clock }: ExecRequest): Promise<boolean> {
  const id = await processOf(outputs.here, step.number);
  if (id === undefined) return false;
  const question = await container.exec({ Cmd: ['/bin/sh', '-c', `kill -0 ${String(id)}`] });
  await question.start({ Detach: true });
  for (;;) {
    const { Running, ExitCode } = await docker.getExec(question.id).inspect();
    if (!Running && ExitCode !== null) return ExitCode === 0;
    await sleep(clock, 20);
  }
}

/** SIGTERM to all processes of the container's user, and its end when they do not go. */
async function endSteps({ container, clock, grace, outage }: ExecRequest, over: AbortSignal): Promise<void> {
  const tell = async () => {
    const kill = await container.exec({ Cmd: ['/bin/sh', '-c', 'kill -TERM -1'] });
    await kill.start({ Detach: true });
  };
  // A container that has ended, or that is too full to start one more process, refuses: it is killed all the same.
  await patiently(clock, outage, tell, over).catch(() => undefined);
  await sleep(clock, grace, over);
  if (!over.aborted) await patiently(clock, outage, () => killContainer(container), over);
}

/** One that has ended meanwhile is no fault. */
async function killContainer(container: Docker.Container): Promise<void> {
  try {
    await container.kill();
  } catch (error) {
    if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error;
  }
}

/** What the engine knows of it; the kernel's own count is asked as well. */
async function wasOutOfMemory(container: Docker.Container): Promise<boolean> {
  try {
    return (await container.inspect()).State.OOMKilled;
  } catch (error) {
    // Gone, or the engine is away.
    if (statusOf(error) === 404 || statusOf(error) === undefined) return false;
    throw error;
  }
}
