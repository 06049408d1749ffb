// Fetches the bundle of a release into a file. What a broken line left is gone on with, also by the next launcher.
import { createHash } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import type http from 'node:http';
import { PoolwrightError } from '../../protocol/errors.js';
import type { LauncherRelease } from '../../protocol/launcher-release.js';
import { launcherPath } from '../../protocol/worker-api.js';
import type { HttpClient } from '../network/http-client.js';

/** Milliseconds without a byte. */
const silence = 15_000;

export interface FetchOptions {
  readonly client: HttpClient;
  readonly token: string;
  readonly release: Pick<LauncherRelease, 'sha256' | 'size'>;
  /** Absolute path of the unfinished file. */
  readonly part: string;
  readonly signal: AbortSignal;
}

/**
 * One try. Answers the whole bundle, which has the hash. Throws RELEASE_REFUSED when the bytes are others (nothing is kept
 * then), UNAUTHORIZED or NOT_FOUND when it is not to be had by this offer, and any other error when another try may help.
 */
export async function fetchBundle(options: FetchOptions): Promise<Buffer> {
  const { release, part } = options;
  const there = await stat(part).then(
    ({ size }) => size,
    () => 0,
  );
  // More than it can be: of something else.
  if (there > release.size) await rm(part, { force: true });
  if (there !== release.size) await fetchRest(options, there > release.size ? 0 : there);
  const handle = await open(part, 'r');
  const bytes = await handle.readFile().finally(() => handle.close());
  if (createHash('sha256').update(bytes).digest('hex') === release.sha256) return bytes;
  await rm(part, { force: true });
  throw refused(release);
}

async function fetchRest(
  { client, token, release, part, signal }: FetchOptions,
  from: number,
): Promise<void> {
  const request = client.request(launcherPath(release.sha256), {
    method: 'GET',
    signal,
    timeout: silence,
    headers: { authorization: `Bearer ${token}`, ...(from === 0 ? {} : { range: `bytes=${String(from)}-` }) },
  });
  request.on('timeout', () => request.destroy(new Error(`no byte for ${String(silence / 1000)} s`)));
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.end();
  });
  const status = response.statusCode ?? 0;
  if (status !== 200 && status !== 206) {
    response.resume();
    if (status === 401 || status === 403 || status === 404)
      throw new PoolwrightError(
        status === 404 ? 'NOT_FOUND' : 'UNAUTHORIZED',
        `The launcher release is not to be had any more (HTTP status ${String(status)}).`,
      );
    throw new Error(`something answered with HTTP status ${String(status)}`);
  }
  // Whoever does not know ranges sends all of it.
  let size = status === 206 ? from : 0;
  const handle = await open(part, status === 206 ? 'a' : 'w', 0o600);
  try {
    for await (const chunk of response) {
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > release.size) {
        request.destroy();
        await rm(part, { force: true });
        throw refused(release);
      }
      await handle.appendFile(bytes);
    }
  } finally {
    await handle.close();
  }
  if (size < release.size) throw new Error('the line broke before the end');
}

function refused({ sha256 }: Pick<LauncherRelease, 'sha256'>): PoolwrightError {
  return new PoolwrightError(
    'RELEASE_REFUSED',
    `What the control plane gave out as the launcher does not have the SHA-256 ${sha256} that was signed; it was not kept.`,
  );
}
