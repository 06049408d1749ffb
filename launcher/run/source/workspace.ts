// Workspaces between stages: packed, sealed for the pool, stored; fetched, opened and unpacked by whoever is next.
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PoolwrightError } from '../../../protocol/errors.js';
import { limits } from '../../../protocol/limits.js';
import { workspaceContext } from '../../../protocol/sealing/contexts.js';
import { verifyThenOpenFile } from '../../../protocol/sealing/file.js';
import { sealStream } from '../../../protocol/sealing/seal.js';
import { unpackArchive, type ArchiveRules } from './archive.js';
import { packFolder } from './pack.js';
import type { KeepWorkspace, SourceRequest } from './source.js';

export const keepWorkspace: KeepWorkspace = async ({ run, folder, file, privateKey, signal }) => {
  let size = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size <= limits.workspace) done(null, chunk);
      else done(tooLarge());
    },
  });
  await pipeline(
    packFolder(folder, signal),
    sealStream(privateKey, workspaceContext(run)),
    bounded,
    createWriteStream(file, { flags: 'wx', mode: 0o600 }),
    { signal },
  );
};

/** Fetches a sealed object into the scratch folder, opens it whole or not at all, and unpacks it. */
export async function unpackObject(
  request: SourceRequest,
  object: string,
  context: string,
  rules: ArchiveRules,
): Promise<void> {
  const { scratch, folder, fetchObject, privateKey, onProgress, signal } = request;
  const file = join(scratch, `${object}.sealed`);
  await fetchObject(object, file);
  const opened = await verifyThenOpenFile(file, privateKey, context);
  await unpackArchive(opened, folder, signal, rules, onProgress);
  await rm(file);
}

function tooLarge(): PoolwrightError {
  return new PoolwrightError(
    'TOO_LARGE',
    `The workspace that the plan leaves has more than ${String(limits.workspace)} bytes when packed. ` +
      'Remove large files at the end of the plan, with an after_plan hook.',
  );
}
