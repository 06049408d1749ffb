// Runner images: there already, or pulled with progress in the run's log.
import type Docker from 'dockerode';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { statusOf } from './docker-engine.js';
import { lacksRoom, wrongArchitecture } from './docker-faults.js';
import { credentialsFor, registryOf } from './registry-credentials.js';
import type { PulledImages } from './pulled-images.js';

export interface ImageRequest {
  readonly image: string;
  /** Folder with `config.json`, or null. */
  readonly configDirectory: string | null;
  /** Of this process, for credential helpers. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pulled: PulledImages;
  readonly onNotice: (line: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds from any origin. */
  readonly now: () => number;
}

interface PullEvent {
  /** Why the pull has failed, when that turned out after it had begun. */
  readonly error?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Milliseconds between two lines of progress. */
const tellEvery = 2000;
/** What the engine says of a layer that does not come. */
const idle = /^(Waiting|Retrying)/;

/** Throws IMAGE_UNAVAILABLE, WRONG_ARCHITECTURE, DISK_FULL, or the signal's reason. */
export async function ensureImage(docker: Docker, request: ImageRequest): Promise<void> {
  const { image, signal } = request;
  try {
    await docker.getImage(image).inspect();
    await request.pulled.used(image);
    return;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  request.onNotice(`Pulling the image ${image} …`);
  try {
    const { configDirectory, environment } = request;
    const credentials =
      configDirectory === null
        ? undefined
        : await credentialsFor({ registry: registryOf(image), configDirectory, environment, signal });
    await pullMakingRoom(docker, request, credentials);
    await request.pulled.add(image);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PoolwrightError) throw error;
    throw pullFault(image, error);
  }
}

/** Once more when there was no room for it, and images that were pulled here before could go. */
async function pullMakingRoom(
  docker: Docker,
  request: ImageRequest,
  credentials: object | undefined,
): Promise<void> {
  try {
    await pull(docker, request, credentials);
  } catch (error) {
    request.signal.throwIfAborted();
    if (!lacksRoom(error)) throw error;
    // How much it takes nobody says: what can be pulled again makes way, whatever its age.
    const removed = await request.pulled.remove(docker, () => Promise.resolve(false));
    if (removed.length === 0) throw error;
    request.onNotice(
      `There is no room for it; removed ${String(removed.length)} image(s) that were pulled here before. Pulling it again …`,
    );
    await pull(docker, request, credentials);
  }
}

/** What to do depends on why, and only the engine's words tell. */
function pullFault(image: string, cause: unknown): PoolwrightError {
  const words = messageOf(cause);
  if (/no matching manifest|no match for platform/i.test(words))
    return wrongArchitecture(image, 'its registry has none for this one', cause);
  const text = `The runner image ${image} is not on this worker and cannot be pulled: ${words}.`;
  if (lacksRoom(cause))
    return new PoolwrightError('DISK_FULL', `${text} Make room on the worker's disk, or take a larger one.`, {
      cause,
    });
  return new PoolwrightError('IMAGE_UNAVAILABLE', `${text} ${adviceFor(words)}`, { cause });
}

function adviceFor(words: string): string {
  if (/unauthorized|denied|authentication|credentials|forbidden/i.test(words))
    return 'Its registry wants credentials that may pull it: put them into the folder that SPACELIFT_DOCKER_CONFIG_DIR names.';
  if (/manifest unknown|not found|does not exist|invalid reference/i.test(words))
    return 'Its registry does not have it: check its name and its tag.';
  return "Check the worker's way to the registry: name resolution, firewall, and the proxy that the container engine has.";
}

async function pull(docker: Docker, request: ImageRequest, authconfig: object | undefined): Promise<void> {
  const { image, signal, onNotice, now } = request;
  const stream = await docker.pull(image, {
    abortSignal: signal,
    ...(authconfig === undefined ? {} : { authconfig }),
  });
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  /** What was said last of each layer. Some engines say the same again and again, also when nothing comes any more. */
  const said = new Map<string | undefined, string>();
  let moved = false;
  let told = now();
  let failure: string | undefined;
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => {
        if (error !== null) reject(error);
        else if (failure !== undefined) reject(new Error(failure));
        else resolve();
      },
      ({ error, status = '', id, progressDetail }: PullEvent) => {
        failure ??= error;
        const { current, total } = progressDetail ?? {};
        const words = `${status} ${String(current)}`;
        if (said.get(id) !== words && !idle.test(status)) moved = true;
        said.set(id, words);
        if (id !== undefined && current !== undefined && total !== undefined)
          layers.set(id, { current, total });
        // A line means that the pull goes on: a run that waits for it is silent without.
        if (!moved || now() - told < tellEvery) return;
        moved = false;
        told = now();
        const sum = (key: 'current' | 'total') =>
          [...layers.values()].reduce((all, layer) => all + layer[key], 0);
        onNotice(
          `  ${megabytes(sum('current'))} of ${megabytes(sum('total'))} MB in ${String(layers.size)} layers`,
        );
      },
    );
  });
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
