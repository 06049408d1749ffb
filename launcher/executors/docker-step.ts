// One step in a running container: an exec, its output as it comes, and its end.
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { sleep, type Clock } from '../clock.js';
import type { Step, StepEnd } from './executor.js';

export interface ExecRequest {
  readonly docker: Docker;
  readonly container: Docker.Container;
  readonly step: Step;
  readonly onOutput: (bytes: Uint8Array) => void;
  readonly stop: AbortSignal;
  readonly clock: Clock;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly grace: number;
}

/** Milliseconds: how often to look whether the step has ended though something still holds its output open. */
const lookEvery = 1000;

/** Throws what the engine's client throws. */
export async function runExec(request: ExecRequest): Promise<StepEnd> {
  const { container, step, onOutput, stop, clock } = request;
  const exec = await container.exec({
    // One pipe for both, so that what is printed keeps its order.
    Cmd: ['/bin/sh', '-c', 'exec 2>&1; exec /bin/sh -e -c "$0"', step.script],
    Env: Object.entries(step.environment).map(([name, value]) => `${name}=${value}`),
    WorkingDir: step.workingDirectory,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: false });
  const ended = outputEnd(stream, onOutput);
  const over = new AbortController();
  let ending: Promise<void> | undefined;
  const onAbort = () => {
    ending = endSteps(request, over.signal);
    // Whoever waits for the output hears of the end; a fault on the way shows there too.
    ending.catch(() => stream.destroy());
  };
  stop.addEventListener('abort', onAbort, { once: true });
  if (stop.aborted) onAbort();
  try {
    await Promise.race([ended, goneButHeld(exec, clock, over.signal)]);
    over.abort();
    await ending;
    const { ExitCode } = await exec.inspect();
    const cause = stop.aborted ? 'killed' : await causeOf(container, ExitCode);
    return {
      exitCode: cause === 'killed' ? null : ExitCode,
      signal: cause === 'exit' ? null : 'SIGKILL',
      cause,
    };
  } finally {
    over.abort();
    stop.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}

/** Takes the engine's frames apart: 8 bytes of header (stream, 0, 0, 0, length big-endian), then the bytes. */
export function createFrameReader(onBytes: (bytes: Uint8Array) => void): (chunk: Buffer) => void {
  const header = Buffer.alloc(8);
  let headerFilled = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const part = chunk.subarray(at, at + left);
        left -= part.length;
        at += part.length;
        onBytes(part);
        continue;
      }
      const taken = chunk.copy(header, headerFilled, at, at + 8 - headerFilled);
      headerFilled += taken;
      at += taken;
      if (headerFilled === 8) {
        left = header.readUInt32BE(4);
        headerFilled = 0;
      }
    }
  };
}

function outputEnd(stream: Duplex, onOutput: (bytes: Uint8Array) => void): Promise<void> {
  stream.on('data', createFrameReader(onOutput));
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('close', resolve);
    stream.once('end', resolve);
  });
}

/** Resolves when the step is over although its output is still open: it left something running. */
async function goneButHeld(exec: Docker.Exec, clock: Clock, over: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(clock, lookEvery, over);
    if (over.aborted) return;
    if (!(await exec.inspect()).Running) {
      // What it printed last may still be on its way.
      await sleep(clock, lookEvery, over);
      return;
    }
  }
}

/** SIGTERM to all processes of the container's user, and its end when they do not go. */
async function endSteps({ container, clock, grace }: ExecRequest, over: AbortSignal): Promise<void> {
  const kill = await container.exec({ Cmd: ['/bin/sh', '-c', 'kill -TERM -1'] });
  await kill.start({ Detach: true });
  await sleep(clock, grace, over);
  if (!over.aborted) await container.kill();
}

async function causeOf(container: Docker.Container, exitCode: number | null): Promise<StepEnd['cause']> {
  if (exitCode !== 137) return 'exit';
  const { State } = await container.inspect();
  return State.OOMKilled ? 'out-of-memory' : 'exit';
}
