// What an engine's refusals, and containers that are not there any more, mean for a run: in words for people, with what
// to do.
import type Docker from 'dockerode';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';
import { patiently, statusOf, unavailable } from './docker-engine.js';
import { createFrameReader } from './docker-frames.js';

export function interrupted(what: string): PoolwrightError {
  return new PoolwrightError(
    'RUN_INTERRUPTED',
    `The run was cut off: ${what}. What it had changed by then stays changed; look there before you trigger it anew.`,
  );
}

/** Whether it was for want of room on a disk, in the words of the engine or of this machine. */
export function lacksRoom(error: unknown): boolean {
  return /no space left|disk quota exceeded/i.test(messageOf(error));
}

/** Whatever the engine's client threw, or what it needs of this machine. */
export function engineFault(error: unknown, image: string, host: string | undefined): Error {
  if (error instanceof PoolwrightError) return error;
  if (lacksRoom(error)) {
    return new PoolwrightError(
      'DISK_FULL',
      `There is no room for what a run is executed in: ${messageOf(error).trim()}. Make room on the worker's disk, or take a ` +
        'larger one.',
      { cause: error },
    );
  }
  const status = statusOf(error);
  if (status === undefined) return unavailable(host, error);
  const text = messageOf(error);
  return (
    imageFault(image, text, error) ??
    new PoolwrightError(
      'ENGINE_UNAVAILABLE',
      `The container engine refused (HTTP ${String(status)}): ${text.trim()}. Mend that on the worker; "launcher doctor" ` +
        'looks whether it would work.',
      { cause: error },
    )
  );
}

/**
 * Whether a refusal of the engine is due to the container's end. One that is just ending refuses for a moment before the
 * engine itself knows.
 */
export async function endedBy(error: unknown, container: Docker.Container, clock: Clock): Promise<boolean> {
  const status = statusOf(error);
  if (status === 409 || status === 404) return true;
  if (status === undefined) return false;
  for (let tries = 0; tries < 5; tries += 1) {
    const running = await container.inspect().then(
      ({ State }) => State.Running,
      (fault: unknown) => statusOf(fault) !== 404,
    );
    if (!running) return true;
    await sleep(clock, 200);
  }
  return false;
}

/**
 * For a step that cannot go on because its container is not there, or nothing of the step is in it. An engine that ends
 * takes its containers along: what became of this one it says when it is back, for which `outage` milliseconds are left.
 */
export async function containerGone(
  container: Docker.Container,
  { image, clock, outage }: { readonly image: string; readonly clock: Clock; readonly outage: number },
): Promise<PoolwrightError> {
  let state: Docker.ContainerInspectInfo['State'];
  try {
    ({ State: state } = await patiently(clock, outage, () => container.inspect()));
  } catch (error) {
    if (statusOf(error) === 404) return interrupted('somebody removed its container');
    throw error;
  }
  if (state.Running) return interrupted('somebody killed the processes of its step in the container');
  const code = String(state.ExitCode);
  if (endedFromOutside.has(state.ExitCode)) {
    return interrupted(
      `its container was ended from outside (exit code ${code}), by somebody or by a start of the engine`,
    );
  }
  const words = await patiently(clock, outage, () => lastWords(container));
  return (
    imageFault(image, words) ??
    new PoolwrightError(
      'IMAGE_UNUSABLE',
      `The container of the runner image ${image} ended by itself (exit code ${code}${words === '' ? '' : `: ${words}`}). ` +
        'Expected an image with a working /bin/sh, and with dd and sleep on its PATH.',
    )
  );
}

/** 128 and the number of SIGKILL or SIGTERM; 255 is what containerd gives when it cannot know. */
const endedFromOutside: ReadonlySet<number> = new Set([137, 143, 255]);

/** When the words of the engine, or of the container's first process, say that the image is to blame. */
function imageFault(image: string, words: string, cause?: unknown): PoolwrightError | undefined {
  if (/exec format error/i.test(words)) return wrongArchitecture(image, 'its /bin/sh does not start', cause);
  if (/exec:? "?\/bin\/sh.*(no such file|not found)/is.test(words)) {
    return new PoolwrightError(
      'IMAGE_UNUSABLE',
      `The runner image ${image} cannot be used: it has no /bin/sh that starts, by which commands of a run are executed. ` +
        'Build it from one that has a shell, such as Alpine or Debian.',
      { cause },
    );
  }
  return undefined;
}

export function wrongArchitecture(image: string, sign: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError(
    'WRONG_ARCHITECTURE',
    `The runner image ${image} is built for another processor architecture than this worker's (${process.arch}): ${sign}. ` +
      "Build it for the worker's architecture as well, or give the stack a pool of the other one.",
    { cause },
  );
}

async function lastWords(container: Docker.Container): Promise<string> {
  const logs = await container.logs({ stdout: true, stderr: true, tail: 5 });
  const parts: Uint8Array[] = [];
  createFrameReader((bytes) => parts.push(bytes))(logs);
  return Buffer.concat(parts).toString('utf8').trim();
}
