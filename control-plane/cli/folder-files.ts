// Which files of a folder a local workspace is made of.
import { execFile } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';

/** Largest file list that Git may give, in bytes. */
const largestList = 64 * 1024 * 1024;

/** Paths below `folder` as Git sees them: tracked and new files, without what .gitignore names. */
async function listedByGit(folder: string): Promise<string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'git',
      ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
      { cwd: folder, maxBuffer: largestList },
    );
    return [...new Set(stdout.split('\0').filter((path) => path !== ''))];
  } catch {
    // No Git on this machine, or no Git work tree: then nothing says what to ignore, and all files are taken.
    return undefined;
  }
}

async function listedByWalk(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.split('/').includes('.git'));
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    // A tracked file that was deleted in the work tree is not part of the workspace.
    return false;
  }
}

/**
 * Relative paths with forward slashes, sorted, folders left out. In a Git work tree, and where Git is
 * installed, what Git ignores stays behind; elsewhere every file is taken but those of `.git`.
 */
export async function workspaceFiles(folder: string): Promise<string[]> {
  const listed = await listedByGit(folder);
  // A folder that its own repository ignores would come out empty.
  const paths = listed === undefined || listed.length === 0 ? await listedByWalk(folder) : listed;
  const present = await Promise.all(
    paths.map(async (path) => ((await exists(join(folder, path))) ? path : undefined)),
  );
  return present.filter((path) => path !== undefined).toSorted();
}
