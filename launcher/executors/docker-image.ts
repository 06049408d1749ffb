// Runner images: there already, or pulled with progress in the run's log.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import * as z from 'zod';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { statusOf } from './docker-engine.js';

export interface ImageRequest {
  readonly image: string;
  /** Folder with `config.json`, or null. */
  readonly configDirectory: string | null;
  readonly onNotice: (line: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds from any origin. */
  readonly now: () => number;
}

const configSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).default({}),
});

interface PullEvent {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Milliseconds between two lines of progress. */
const tellEvery = 2000;

/** Throws IMAGE_UNAVAILABLE, or the signal's reason. */
export async function ensureImage(docker: Docker, request: ImageRequest): Promise<void> {
  const { image, signal } = request;
  try {
    await docker.getImage(image).inspect();
    return;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  request.onNotice(`Pulling the image ${image} …`);
  try {
    await pull(docker, request, await credentialsFor(request));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PoolwrightError) throw error;
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `The runner image ${image} is not on this worker and cannot be pulled: ${messageOf(error)}. ` +
        "Check its name, the worker's way to the registry, and the credentials in SPACELIFT_DOCKER_CONFIG_DIR.",
      { cause: error },
    );
  }
}

async function pull(docker: Docker, request: ImageRequest, authconfig: object | undefined): Promise<void> {
  const { image, signal, onNotice, now } = request;
  const stream = await docker.pull(image, {
    abortSignal: signal,
    ...(authconfig === undefined ? {} : { authconfig }),
  });
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  let told = now();
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => {
        if (error === null) resolve();
        else reject(error);
      },
      ({ id, progressDetail }: PullEvent) => {
        const { current, total } = progressDetail ?? {};
        if (id !== undefined && current !== undefined && total !== undefined)
          layers.set(id, { current, total });
        if (now() - told < tellEvery) return;
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

/** The registry's entry of `config.json`, as `docker login` writes it. */
async function credentialsFor({
  image,
  configDirectory,
  onNotice,
}: ImageRequest): Promise<object | undefined> {
  if (configDirectory === null) return undefined;
  const file = join(configDirectory, 'config.json');
  let config: z.infer<typeof configSchema>;
  try {
    config = configSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // The parser's message may quote the file, and with it a password.
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${file} cannot be read as a Docker configuration on this worker.`,
    );
  }
  const registry = registryOf(image);
  const entry =
    config.auths[registry] ?? config.auths[`https://${registry}/v1/`] ?? config.auths[`https://${registry}`];
  if (entry?.auth === undefined) {
    if (config.credsStore !== undefined || config.credHelpers[registry] !== undefined) {
      onNotice(
        `Credential helpers are not used on workers; ${file} has no entry under "auths" for ${registry}.`,
      );
    }
    return undefined;
  }
  const text = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return { username: text.slice(0, colon), password: text.slice(colon + 1), serveraddress: registry };
}

/** `registry.example.com:5000` of an image's name; Docker Hub when it names none. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost ? first : 'index.docker.io';
}
