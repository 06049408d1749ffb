// Unpacks a tar.gz that somebody uploaded, and writes nothing outside of the folder whatever is in it.
import { createWriteStream } from 'node:fs';
import { lstat, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Extract, type Header } from 'tar-stream';
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';

export interface ArchiveRules {
  /** Bytes that come out of the compression. */
  readonly bytes: number;
  readonly entries: number;
  /**
   * `inside`: links lead to places in the folder. `any`: they may lead out, as the links of a Python environment
   * in a run's own workspace do. Nothing is ever written through a link.
   */
  readonly links: 'inside' | 'any';
}

export const archiveRules = {
  upload: { bytes: 20 * 1024 ** 3, entries: 500_000, links: 'inside' },
  workspace: { bytes: 100 * 1024 ** 3, entries: 5_000_000, links: 'any' },
} as const satisfies Record<string, ArchiveRules>;

/** Bytes that go through the streams at once. */
const streamBuffer = 256 * 1024;

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;
const longestName = 4096;

/**
 * Fills an empty folder. Refused with ARCHIVE_REFUSED, naming the entry: names that are absolute or go up, links
 * that lead out of the folder, hard links, devices, pipes, entries below a link, entries that are there already,
 * and more than the rules allow. What was written before stays; the caller throws the folder away.
 * Modes lose their set-user-ID bits. Other faults of the bytes are ARCHIVE_REFUSED, too; faults of `source` and the
 * signal's reason are thrown as they are. `onProgress` is called for each part of the bytes.
 */
export async function unpackArchive(
  source: Readable,
  folder: string,
  signal: AbortSignal,
  rules: ArchiveRules,
  onProgress: () => void = () => undefined,
): Promise<void> {
  let sourceFault: unknown;
  source.once('error', (error) => {
    sourceFault = error;
  });
  let left = rules.bytes;
  // Counts all that comes out of the compression, headers too: a bomb need not consist of files.
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onProgress();
      left -= chunk.length;
      if (left < 0) done(refused(`it unpacks to more than ${String(rules.bytes)} bytes`));
      else done(null, chunk);
    },
  });
  const tar = extract();
  const unpacking = unpackEntries(tar, folder, rules);
  // The entries' own fault ends the pipeline, and comes out of it or of the loop, whichever is seen first.
  unpacking.catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    await Promise.all([
      pipeline(source, createGunzip({ chunkSize: streamBuffer }), counted, tar, { signal }),
      unpacking,
    ]);
  } catch (error) {
    signal.throwIfAborted();
    if (sourceFault !== undefined) throw sourceFault as Error;
    if (error instanceof PoolwrightError) throw error;
    const ofSystem = error instanceof Error && 'syscall' in error;
    if (ofSystem) throw error;
    throw refused(`it is not a whole tar.gz (${messageOf(error)})`);
  }
}

async function unpackEntries(tar: Extract, folder: string, rules: ArchiveRules): Promise<void> {
  let entries = 0;
  for await (const entry of tar) {
    entries += 1;
    if (entries > rules.entries) throw refused('it has too many entries');
    await unpackEntry(entry, folder, rules);
  }
}

async function unpackEntry(entry: Entry, folder: string, rules: ArchiveRules): Promise<void> {
  const { header } = entry;
  const name = safeName(header);
  if (name === '.') {
    entry.resume();
    return;
  }
  const path = join(folder, name);
  // Types that the library passes on though its own type does not name them are met, too.
  const type: string = header.type;
  switch (type) {
    case 'directory':
      await makeFolders(folder, name);
      entry.resume();
      return;
    case 'symlink':
      await makeFolders(folder, posix.dirname(name));
      await makeLink(folder, name, header.linkname, rules);
      entry.resume();
      return;
    case 'file':
    case 'contiguous-file':
      await makeFolders(folder, posix.dirname(name));
      await writeEntry(entry, path, 0o600 | (header.mode & 0o777)).catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
          throw refused('it is there twice', name);
        throw error;
      });
      return;
    case 'pax-global-header':
      entry.resume();
      return;
    default:
      throw refused(`it is a ${type}, which is not unpacked`, name);
  }
}

/** `wx` also refuses to write through a link of that name. Small files go in one piece: a stream for each costs more than they. */
async function writeEntry(entry: Entry, path: string, mode: number): Promise<void> {
  if (entry.header.size > streamBuffer) {
    await pipeline(entry, createWriteStream(path, { flags: 'wx', mode }));
    return;
  }
  const parts: Uint8Array[] = [];
  for await (const part of entry) parts.push(part as Uint8Array);
  await writeFile(path, Buffer.concat(parts), { flag: 'wx', mode });
}

function safeName({ name }: Header): string {
  if (name.length > longestName) throw refused('its name is too long', name.slice(0, 80));
  if (name.includes('\0')) throw refused('its name holds a NUL character');
  if (name.includes('\\')) throw refused('its name holds a backslash', name);
  if (posix.isAbsolute(name)) throw refused('its name is absolute', name);
  if (name.split('/').includes('..')) throw refused('its name leads out of the folder', name);
  return posix.normalize(name).replace(/\/$/, '');
}

/** Every part must be a folder of our own making: a link there would lead who knows where. */
async function makeFolders(root: string, name: string): Promise<void> {
  let path = root;
  for (const part of name.split('/')) {
    if (part === '.' || part === '') continue;
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) await mkdir(path, { mode: 0o755 });
    else if (!found.isDirectory()) throw refused('something in its path is not a folder', name);
  }
}

async function makeLink(root: string, name: string, target: string, rules: ArchiveRules): Promise<void> {
  if (target === '' || target.includes('\0')) throw refused('it is a link without a target', name);
  if (rules.links === 'inside') assertInside(name, target);
  await symlink(target, join(root, name)).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw refused('it is there twice', name);
    throw error;
  });
}

/**
 * A link that stays inside even when every link in its way is followed: links can lead to links, so its target may
 * only go up through folders, which are known to be ours.
 */
function assertInside(name: string, target: string): void {
  const resolved = posix.normalize(posix.join(posix.dirname(name), target));
  if (posix.isAbsolute(target) || resolved === '..' || resolved.startsWith('../')) {
    throw refused(`it is a link to ${JSON.stringify(target.slice(0, 200))}, out of the folder`, name);
  }
  // `a/link/..` is the parent of where the link leads, not `a`: going up is safe only before anything else.
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const firstName = parts.findIndex((part) => part !== '..');
  if (firstName !== -1 && parts.slice(firstName).includes('..')) {
    throw refused(
      `it is a link to ${JSON.stringify(target.slice(0, 200))}, which goes down and up again`,
      name,
    );
  }
}

function refused(reason: string, entry?: string): PoolwrightError {
  const what =
    entry === undefined ? 'The archive' : `The archive's entry ${JSON.stringify(entry.slice(0, 200))}`;
  return new PoolwrightError(
    'ARCHIVE_REFUSED',
    `${what} is refused: ${reason}. Nothing of the archive was used.`,
  );
}
