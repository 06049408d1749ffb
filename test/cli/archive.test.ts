import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packFolder } from '../../control-plane/cli/archive.js';
import { workspaceFiles } from '../../control-plane/cli/folder-files.js';
import { temporaryFolder } from './support/folder.js';

interface Entry {
  readonly type: string;
  readonly mode: number;
  readonly text: string;
}

async function entriesOf(file: string): Promise<Record<string, Entry>> {
  const entries: Record<string, Entry> = {};
  const reader = extract();
  const read = (async () => {
    for await (const entry of reader) {
      const { name, type, mode, linkname } = entry.header;
      let text = type === 'symlink' ? linkname : '';
      for await (const chunk of entry) text += String(chunk);
      entries[name] = { type, mode, text };
    }
  })();
  await Promise.all([pipeline(createReadStream(file), createGunzip(), reader), read]);
  return entries;
}

describe('a packed folder', () => {
  it('holds files, executable ones and links that stay inside', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'main.tf'), 'resource');
    await writeFile(join(folder, 'sub', 'run.sh'), '#!/bin/sh\n');
    await chmod(join(folder, 'sub', 'run.sh'), 0o700);
    await symlink('../main.tf', join(folder, 'sub', 'link.tf'));
    const file = join(await temporaryFolder(), 'out.tar.gz');
    const packed = await packFolder(folder, file);
    expect(packed.files).toBe(3);
    expect(await entriesOf(file)).toEqual({
      'main.tf': { type: 'file', mode: 0o644, text: 'resource' },
      'sub/run.sh': { type: 'file', mode: 0o755, text: '#!/bin/sh\n' },
      'sub/link.tf': { type: 'symlink', mode: 0o755, text: '../main.tf' },
    });
  });

  it.each(['/etc/passwd', '../../elsewhere', '..'])('refuses a link to %s and names it', async (target) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    await symlink(target, join(folder, 'out'));
    const file = join(await temporaryFolder(), 'out.tar.gz');
    await expect(packFolder(folder, file)).rejects.toThrow(
      /^out cannot be part of a workspace: it is a link/,
    );
  });

  it('refuses sockets and says which', async () => {
    const folder = await temporaryFolder();
    const server = createServer().listen(join(folder, 'socket'));
    onTestFinished(() => {
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const file = join(await temporaryFolder(), 'out.tar.gz');
    await expect(packFolder(folder, file)).rejects.toThrow(/^socket cannot be part/);
  });

  it('is refused when there is nothing in it', async () => {
    const file = join(await temporaryFolder(), 'out.tar.gz');
    await expect(packFolder(await temporaryFolder(), file)).rejects.toThrow(/holds no files/);
  });
});

describe('the files of a workspace', () => {
  const git = (folder: string, ...args: string[]) =>
    execFileSync('git', args, { cwd: folder, stdio: 'pipe' });
  const hasGit = (() => {
    try {
      execFileSync('git', ['--version'], { stdio: 'pipe' });
      return true;
    } catch {
      // Then the suite below says that it is skipped.
      return false;
    }
  })();
  if (!hasGit) process.stderr.write('skipped: the files of a Git work tree (git is not installed)\n');

  it.skipIf(!hasGit)('leave out what Git ignores and what was deleted, and take what is new', async () => {
    const folder = await temporaryFolder();
    git(folder, 'init', '-q');
    await writeFile(join(folder, '.gitignore'), '*.secret\n.terraform/\n');
    await writeFile(join(folder, 'tracked.tf'), '');
    git(folder, 'add', '.');
    await mkdir(join(folder, '.terraform'));
    await writeFile(join(folder, '.terraform', 'provider'), '');
    await writeFile(join(folder, 'a.secret'), '');
    await writeFile(join(folder, 'new file.tf'), '');
    expect(await workspaceFiles(folder)).toEqual(['.gitignore', 'new file.tf', 'tracked.tf']);
    execFileSync('rm', [join(folder, 'tracked.tf')]);
    expect(await workspaceFiles(folder)).toEqual(['.gitignore', 'new file.tf']);
  });

  it('are all but those of .git where there is no work tree', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, '.git'));
    await writeFile(join(folder, '.git', 'config'), '');
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'b', 'deep'), '');
    await writeFile(join(folder, 'a'), '');
    expect(await workspaceFiles(folder)).toEqual(['a', 'b/deep']);
  });
});
