// Sends a local folder to the control plane, as the source of a run.
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, PoolwrightError, type ErrorCode } from '../../../protocol/errors.js';
import { packFolder, type PackedFolder } from '../archive.js';
import { UsageError } from '../exit.js';
import type { ApiClient } from './client.js';

const uploadSchema = z.object({
  uploadLocalWorkspace: z.object({
    id: z.string(),
    uploadUrl: z.url({ protocol: /^https?$/ }),
    uploadHeaders: z
      .object({ entries: z.array(z.object({ key: z.string(), value: z.string() })) })
      .nullable(),
  }),
});

async function assertFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (cause) {
    throw new UsageError(`The folder ${folder} cannot be read: ${messageOf(cause)}.`, { cause });
  }
  throw new UsageError(`${folder} is not a folder.`);
}

/** What the server says of a refused upload, in short: it may be a page of a proxy. */
function refusal(status: number, text: string): PoolwrightError {
  const code: ErrorCode = status === 413 ? 'TOO_LARGE' : 'UNAVAILABLE';
  return new PoolwrightError(code, `The upload was refused (HTTP ${String(status)}): ${text.slice(0, 500)}`);
}

/**
 * Packs `folder`, uploads it for the stack and returns the workspace's id for a run. It is packed into a
 * temporary file first: object stores want the size before the bytes.
 */
export async function uploadFolder(
  client: ApiClient,
  stack: string,
  folder: string,
): Promise<PackedFolder & { readonly workspace: string }> {
  await assertFolder(folder);
  const temporary = await mkdtemp(join(tmpdir(), 'poolwright-upload-'));
  try {
    const file = join(temporary, 'workspace.tar.gz');
    const packed = await packFolder(folder, file);
    const { uploadLocalWorkspace: upload } = await client.request(
      'mutation ($stack: ID!) { uploadLocalWorkspace(stack: $stack) { id uploadUrl uploadHeaders { entries { key value } } } }',
      { stack },
      uploadSchema,
    );
    const headers = (upload.uploadHeaders?.entries ?? []).map(({ key, value }) => [key, value] as const);
    const { status, text } = await client.http.send({
      method: 'PUT',
      url: upload.uploadUrl,
      headers: { 'content-length': String(packed.size), ...Object.fromEntries(headers) },
      body: createReadStream(file),
    });
    if (status < 200 || status > 299) throw refusal(status, text);
    return { ...packed, workspace: upload.id };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
