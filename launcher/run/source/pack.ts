// A folder as tar.gz, with links, modes and empty folders, so that the next stage finds it as it was.
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline as pipelineOf, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { gzipInParts } from './gzip.js';

/** Bytes of a file that are read at once. A file that has no more is read whole: streams cost small files most of their time. */
const streamBuffer = 256 * 1024;

/**
 * A stream of the folder's content. Sockets and pipes, which nothing can be kept of, are left out. The stream
 * fails when a file cannot be read, or changes its size on the way.
 */
export function packFolder(folder: string, signal: AbortSignal): Readable {
  const tar = pack();
  addFolder(tar, folder, '', signal).then(
    () => {
      tar.finalize();
    },
    (error: unknown) => {
      tar.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  );
  return pipelineOf(tar, gzipInParts(), () => {
    // Whoever reads the second stream gets the fault of the first.
  });
}

async function addFolder(tar: Pack, root: string, below: string, signal: AbortSignal): Promise<void> {
  const names = await readdir(join(root, below));
  for (const name of names.sort()) {
    signal.throwIfAborted();
    await addEntry(tar, root, below === '' ? name : `${below}/${name}`, signal);
  }
}

async function addEntry(tar: Pack, root: string, name: string, signal: AbortSignal): Promise<void> {
  const path = join(root, name);
  const { mode, mtime, size, ...kind } = await lstat(path).then((found) => ({
    mode: found.mode & 0o777,
    mtime: found.mtime,
    size: found.size,
    folder: found.isDirectory(),
    file: found.isFile(),
    link: found.isSymbolicLink(),
  }));
  if (kind.folder) {
    await added(tar, { name: `${name}/`, type: 'directory', mode, mtime });
    await addFolder(tar, root, name, signal);
  } else if (kind.link) {
    await added(tar, { name, type: 'symlink', linkname: await readlink(path), mode, mtime });
  } else if (kind.file && size > 0 && size <= streamBuffer) {
    await added(tar, { name, type: 'file', mode, mtime }, await readFile(path));
  } else if (kind.file) {
    const entry = tar.entry({ name, type: 'file', mode, mtime, size });
    await pipeline(createReadStream(path, { highWaterMark: streamBuffer }), entry, { signal });
  }
}

/** Resolves when it was taken, also by whoever reads the archive. */
function added(tar: Pack, header: Parameters<Pack['entry']>[0], content?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      if (error == null) resolve();
      else reject(error);
    };
    if (content === undefined) tar.entry(header, settle);
    else tar.entry(header, content, settle);
  });
}
