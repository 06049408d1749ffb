// Packs a folder into a tar.gz file, as `uploadLocalWorkspace` takes it.
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { limits } from '../../protocol/limits.js';
import { PoolwrightError } from '../../protocol/errors.js';
import { workspaceFiles } from './folder-files.js';

export interface PackedFolder {
  readonly files: number;
  /** Bytes of the tar.gz file. */
  readonly size: number;
}

function refuse(path: string, reason: string): PoolwrightError {
  return new PoolwrightError('INVALID_ARGUMENT', `${path} cannot be part of a workspace: ${reason}.`);
}

async function addFile(archive: Pack, folder: string, path: string): Promise<void> {
  const full = join(folder, path);
  const stats = await lstat(full);
  const header = { name: path, mtime: stats.mtime, mode: (stats.mode & 0o111) === 0 ? 0o644 : 0o755 };
  if (stats.isSymbolicLink()) {
    const target = await readlink(full);
    // Workers refuse links out of the workspace; here the user still knows which file it is about.
    const place = posix.normalize(posix.join(dirname(path), target));
    if (isAbsolute(target) || place === '..' || place.startsWith('../')) {
      throw refuse(path, `it is a link to ${target}, outside of the folder`);
    }
    archive.entry({ ...header, type: 'symlink', linkname: target, size: 0 });
    return;
  }
  // A submodule or a nested repository: Git names its folder only.
  if (stats.isDirectory()) {
    archive.entry({ ...header, type: 'directory', mode: 0o755 });
    return;
  }
  if (!stats.isFile()) throw refuse(path, 'it is neither a file nor a link');
  const entry = archive.entry({ ...header, type: 'file', size: stats.size });
  await pipeline(createReadStream(full), entry);
}

function atMost(bytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen <= bytes) done(null, chunk);
      else
        done(
          new PoolwrightError(
            'TOO_LARGE',
            `The packed folder is larger than ${String(bytes)} bytes. Leave out what runs do not need.`,
          ),
        );
    },
  });
}

/** Packs what `workspaceFiles` gives into `file` (mode 0600). INVALID_ARGUMENT for what cannot be packed, TOO_LARGE. */
export async function packFolder(folder: string, file: string): Promise<PackedFolder> {
  const paths = await workspaceFiles(folder);
  if (paths.length === 0)
    throw new PoolwrightError('INVALID_ARGUMENT', `The folder ${folder} holds no files to run.`);
  const archive = pack();
  const written = pipeline(
    archive,
    createGzip(),
    atMost(limits.workspace),
    createWriteStream(file, { mode: 0o600 }),
  );
  const filled = (async () => {
    try {
      for (const path of paths) await addFile(archive, folder, path);
      archive.finalize();
    } catch (error) {
      archive.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  })();
  // Both are awaited, so that neither failure goes unheard; the filling one says more about the cause.
  const [filling, writing] = await Promise.allSettled([filled, written]);
  const failed = [writing, filling].find(
    (part) => part.status === 'rejected' && part.reason instanceof PoolwrightError,
  );
  for (const part of [failed, filling, writing]) {
    if (part?.status === 'rejected') throw part.reason;
  }
  return { files: paths.length, size: (await lstat(file)).size };
}
