// Runs the machine's openssl: an implementation that is not ours, and the one that the guide tells users to use.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipped } from '../../support/skips.js';

/** True when there is an openssl; notes it when there is none. */
export function hasOpenssl(suite: string): boolean {
  const found = spawnSync('openssl', ['version']).status === 0;
  if (!found) skipped(suite, 'no openssl on the PATH');
  return found;
}

/** Runs openssl in a folder that is removed afterwards. `files` are put there first; the named result is read. */
export function openssl(
  args: readonly string[],
  result?: string,
  files: Record<string, string> = {},
): string {
  return opensslFiles(args, result === undefined ? [] : [result], files)[0] ?? '';
}

/** The same with several results. */
export function opensslFiles(
  args: readonly string[],
  results: readonly string[],
  files: Record<string, string> = {},
): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'poolwright-openssl-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    return results.map((name) => readFileSync(join(folder, name), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The guide's own line, with a name so that it asks nothing. */
export function guideKeyAndRequest(bits = 4096): { key: string; csr: string } {
  const args = ['req', '-new', '-newkey', `rsa:${String(bits)}`, '-nodes', '-subj', '/CN=x'];
  const [key = '', csr = ''] = opensslFiles(
    [...args, '-keyout', 'pool.key', '-out', 'pool.csr'],
    ['pool.key', 'pool.csr'],
  );
  return { key, csr };
}
