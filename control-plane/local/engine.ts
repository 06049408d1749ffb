// Decides where the runs of the local pool happen: in containers, or else as processes of this machine.
import { messageOf } from '../../protocol/errors.js';
import type { Narrator } from './narrator.js';

export type ExecutorKind = 'docker' | 'host';

/** The part of a container engine that the decision needs. */
export interface Engine {
  /** Throws when no engine answers. */
  ping(): Promise<void>;
  hasImage(image: string): Promise<boolean>;
  /** Throws when the image cannot be pulled or `signal` is aborted. `onProgress` gets a short line now and then. */
  pull(image: string, onProgress: (line: string) => void, signal: AbortSignal): Promise<void>;
}

const meaning =
  'Runs start as processes of this machine, with your rights and without a container around them.';

/**
 * `auto` takes containers when an engine answers and the image is there or can be pulled. `wanted` as
 * `docker` or `host` is taken at its word; launchers then say what is wrong with it.
 */
export async function chooseExecutor(
  wanted: 'auto' | ExecutorKind,
  image: string,
  engine: Engine,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<ExecutorKind> {
  if (wanted !== 'auto') return wanted;
  try {
    await engine.ping();
    if (await engine.hasImage(image)) return 'docker';
  } catch (error) {
    narrator.warn(`No container engine answers (${messageOf(error)}). ${meaning}`);
    return 'host';
  }
  try {
    narrator.say(`The runner image ${image} is not here; pulling it.`);
    await engine.pull(
      image,
      (line) => {
        narrator.say(line);
      },
      signal,
    );
    return 'docker';
  } catch (error) {
    if (signal.aborted) throw error;
    narrator.warn(`The image ${image} cannot be pulled (${messageOf(error)}). ${meaning}`);
    return 'host';
  }
}
