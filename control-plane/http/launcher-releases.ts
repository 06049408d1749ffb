// The bundles of launcher releases: sent in by the operator who signed them, fetched by workers that were offered one.
import { Hono } from 'hono';
import { Readable } from 'node:stream';
import { PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import { readRelease } from '../../protocol/release-signing.js';
import { unauthorized } from '../access/api-keys.js';
import type { Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';
import { completeRelease, findRelease } from '../pools/releases.js';
import type { ObjectStore } from '../store/objects.js';
import { streamBody, type ServerEnvironment } from './body.js';
import { uploadOf, uploadTokenHeader, type Upload } from './uploads.js';

/** Where the bundle of a new release is sent. */
export async function releaseUpload(tokens: Tokens, release: string): Promise<Upload> {
  const { token } = await tokens.issueUpload(release);
  return {
    id: release,
    path: `/launcher-releases/${release}`,
    headers: { 'content-type': 'text/javascript', [uploadTokenHeader]: token },
  };
}

export function launcherReleaseRoutes(dependencies: {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly objects: ObjectStore;
}): Hono<ServerEnvironment> {
  const { context, tokens, objects } = dependencies;
  const app = new Hono<ServerEnvironment>();

  app.put('/launcher-releases/:id', async (c) => {
    await completeRelease(context, objects, await uploadOf(c, tokens), streamBody(c, limits.launcherBundle));
    return c.body(null, 200);
  });

  app.get('/worker/v1/launchers/:sha256', async (c) => {
    const token = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) throw unauthorized();
    const release = await findRelease(context, await tokens.checkRelease(token));
    if (release === undefined || release.withdrawn_at !== null)
      throw new PoolwrightError('NOT_FOUND', 'There is no such launcher release any more.');
    if (readRelease(release).sha256 !== c.req.param('sha256'))
      throw new PoolwrightError('FORBIDDEN', 'The token is for another launcher release.');
    const { size, stream } = await objects.get(release.id);
    const from = Number(/^bytes=(\d{1,9})-$/.exec(c.req.header('range') ?? '')?.[1] ?? 0);
    const whole = from === 0 || from >= size;
    const headers = {
      'content-type': 'text/javascript',
      'content-length': String(whole ? size : size - from),
      ...(whole ? {} : { 'content-range': `bytes ${String(from)}-${String(size - 1)}/${String(size)}` }),
    };
    const body = whole ? stream : Readable.from(after(stream, from));
    return c.body(Readable.toWeb(body) as ReadableStream, whole ? 200 : 206, headers);
  });
  return app;
}

/** What comes after the first `count` bytes. A bundle is small, and a line that breaks in it rare: the store need not skip. */
async function* after(stream: Readable, count: number): AsyncGenerator<Uint8Array> {
  for await (const part of stream) {
    const bytes = part as Buffer;
    if (bytes.length > count) yield bytes.subarray(count);
    count = Math.max(0, count - bytes.length);
  }
}
