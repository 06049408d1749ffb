// Local workspaces: a user uploads a tar.gz, and it is sealed for the stack's pool on its way to the disk.
import { Hono, type Context as HttpContext } from 'hono';
import { PoolwrightError } from '../../protocol/errors.js';
import { publicKeyOf } from '../../protocol/keys.js';
import { limits } from '../../protocol/limits.js';
import { archiveContext } from '../../protocol/sealing/contexts.js';
import { sealStream } from '../../protocol/sealing/seal.js';
import { pipeline } from 'node:stream';
import { auditOfStack } from '../access/audit.js';
import type { Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';
import { sealingPool } from '../pools/pools.js';
import { getStack } from '../stacks/stacks.js';
import type { ObjectStore } from '../store/objects.js';
import { streamBody, type ServerEnvironment } from './body.js';

/** Header that carries the right to upload, so that it stands in no URL and in no access log. */
export const uploadTokenHeader = 'x-upload-token';

export interface Upload {
  readonly id: string;
  /** Path below the public URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes a place for one archive of a stack. Throws NOT_FOUND; CONFLICT when the stack has no pool to seal for. */
export async function createUpload(
  context: Context,
  tokens: Tokens,
  request: { readonly stack: string; readonly requestedBy: string },
): Promise<Upload> {
  await recipientOf(context, request.stack);
  const id = context.ids.next();
  await context.db.transaction().execute(async (tx) => {
    await tx
      .insertInto('uploads')
      .values({
        id,
        stack_id: request.stack,
        requested_by: request.requestedBy,
        created_at: context.clock.now(),
        completed_at: null,
      })
      .execute();
    await auditOfStack(tx, context, request.stack, {
      action: 'stack.workspace-add',
      type: 'stack',
      id: request.stack,
      before: null,
      after: { workspace: id },
    });
  });
  const { token } = await tokens.issueUpload(id);
  return {
    id,
    path: `/uploads/${id}`,
    headers: { 'content-type': 'application/gzip', [uploadTokenHeader]: token },
  };
}

/** The id in the path, for which the request has to bring the token. Throws UNAUTHORIZED, FORBIDDEN. */
export async function uploadOf(
  c: { readonly req: Pick<HttpContext<ServerEnvironment, '/:id'>['req'], 'header' | 'param'> },
  tokens: Tokens,
): Promise<string> {
  const id = await tokens.checkUpload(c.req.header(uploadTokenHeader) ?? '');
  if (id === c.req.param('id')) return id;
  throw new PoolwrightError('FORBIDDEN', 'The token is for another upload.');
}

async function recipientOf(context: Context, stackId: string) {
  const stack = await getStack(context, stackId);
  return publicKeyOf((await sealingPool(context, stack, 'an upload')).public_key);
}

export function uploadRoutes(dependencies: {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly objects: ObjectStore;
}): Hono<ServerEnvironment> {
  const { context, tokens, objects } = dependencies;
  const app = new Hono<ServerEnvironment>();
  app.put('/uploads/:id', async (c) => {
    const id = await uploadOf(c, tokens);
    const upload = await context.db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst();
    if (upload === undefined) throw new PoolwrightError('NOT_FOUND', `There is no upload ${id}.`);
    if (upload.completed_at !== null) {
      throw new PoolwrightError(
        'CONFLICT',
        `The upload ${id} is complete and cannot be changed. Ask for a new one.`,
      );
    }
    const sealing = sealStream(await recipientOf(context, upload.stack_id), archiveContext(id));
    // A fault of either side ends the other; whoever reads `sealing` gets it.
    pipeline(streamBody(c, limits.workspace), sealing, () => undefined);
    await objects.put(id, sealing, limits.workspace);
    await context.db
      .updateTable('uploads')
      .set({ completed_at: context.clock.now() })
      .where('id', '=', id)
      .execute();
    return c.body(null, 200);
  });
  return app;
}
