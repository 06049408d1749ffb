// Launcher releases of a pool, as the API gives and takes them.
import { Readable } from 'node:stream';
import { z } from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { SignedRelease } from '../../../protocol/launcher-release.js';
import type { ApiClient } from './client.js';

const releaseSchema = z.object({
  id: z.string(),
  version: z.string(),
  sha256: z.string(),
  size: z.int(),
  bases: z.array(z.string()),
  /** Unix seconds. */
  releasedAt: z.int(),
  publishedAt: z.int(),
  publishedBy: z.string(),
  /** Seconds. */
  within: z.int(),
});
export type Release = z.infer<typeof releaseSchema>;

const uploadSchema = z.object({
  workerPoolReleasePublish: z.object({
    uploadUrl: z.url({ protocol: /^https?$/ }),
    uploadHeaders: z.object({ entries: z.array(z.object({ key: z.string(), value: z.string() })) }),
  }),
});

/** What the pool's workers are offered; null when that is nothing. */
export async function findRelease(client: ApiClient, pool: string): Promise<Release | null> {
  const { workerPool } = await client.request(
    `query ($id: ID!) { workerPool(id: $id) { launcherRelease {
      id version sha256 size bases releasedAt publishedAt publishedBy within
    } } }`,
    { id: pool },
    z.object({ workerPool: z.object({ launcherRelease: releaseSchema.nullable() }).nullable() }),
  );
  if (workerPool === null)
    throw new PoolwrightError('NOT_FOUND', `There is no worker pool ${pool} any more.`);
  return workerPool.launcherRelease;
}

/** `within`: seconds. */
export async function publishRelease(
  client: ApiClient,
  input: SignedRelease & { readonly pool: string; readonly within: number },
  bundle: Buffer,
): Promise<void> {
  const { workerPoolReleasePublish: upload } = await client.request(
    `mutation ($pool: ID!, $payload: String!, $signature: String!, $within: Int!) {
      workerPoolReleasePublish(id: $pool, payload: $payload, signature: $signature, within: $within) {
        uploadUrl uploadHeaders { entries { key value } }
      }
    }`,
    { ...input },
    uploadSchema,
  );
  const { status, text } = await client.http.send({
    method: 'PUT',
    url: upload.uploadUrl,
    headers: {
      'content-length': String(bundle.length),
      ...Object.fromEntries(upload.uploadHeaders.entries.map(({ key, value }) => [key, value])),
    },
    body: Readable.from([bundle]),
  });
  if (status >= 200 && status <= 299) return;
  const reason = `HTTP ${String(status)}: ${text.slice(0, 500)}`;
  throw new PoolwrightError('UNAVAILABLE', `The bundle was refused (${reason})`);
}

export async function withdrawRelease(client: ApiClient, pool: string): Promise<void> {
  await client.request(
    'mutation ($pool: ID!) { workerPoolReleaseWithdraw(id: $pool) { id } }',
    { pool },
    z.object({ workerPoolReleaseWithdraw: z.object({ id: z.string() }) }),
  );
}
