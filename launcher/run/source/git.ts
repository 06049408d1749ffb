// A Git repository at a commit, fetched from wherever this worker reaches it.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';
import type { Source } from '../../../protocol/messages.js';
import type { VcsMapping } from '../../settings/settings.js';
import { gitAuthorities } from './git-authorities.js';
import { startGit, type GitEnd } from './git-process.js';
import type { SourceRequest } from './source.js';

type GitSource = Extract<Source, { kind: 'git' }>;

/** Checks out the commit, or the tip of the branch; answers the full id. Throws SOURCE_UNAVAILABLE. */
export async function checkOut(request: SourceRequest, source: GitSource): Promise<string> {
  const { folder, onLine, signal } = request;
  const address = addressOf(source.repository, request.vcsMappings);
  if (!/^[\w./@+-]+$/.test(source.branch) || source.branch.startsWith('-')) {
    throw unavailable(address, `${JSON.stringify(source.branch)} is not the name of a branch`);
  }
  const authorities = await gitAuthorities(request.environment, request.scratch).catch((error: unknown) => {
    throw unavailable(address, error);
  });
  const git = async (...args: string[]) => answerOf(startGit(args, request, authorities), address);
  onLine(`Fetching ${withoutPassword(address)} at ${source.commit ?? `the branch ${source.branch}`}.`);
  await git('init', '--quiet', folder);
  await git('remote', 'add', 'origin', '--', address);
  if (source.commit === null) {
    await git('fetch', '--progress', '--depth=1', '--no-tags', 'origin', `refs/heads/${source.branch}`);
  } else {
    await fetchCommit(git, source, signal);
  }
  await git('checkout', '--quiet', '--progress', '--detach', source.commit ?? 'FETCH_HEAD');
  if (await exists(join(folder, '.gitmodules'))) {
    onLine('Fetching its submodules.');
    await git('submodule', 'update', '--progress', '--init', '--recursive', '--depth=1');
  }
  const commit = (await git('rev-parse', 'HEAD')).trim();
  onLine(`Checked out ${commit}.`);
  return commit;
}

/** Servers may refuse to give a commit by its id; then the branch's whole history has it. */
async function fetchCommit(
  git: (...args: string[]) => Promise<string>,
  { branch, commit }: GitSource,
  signal: AbortSignal,
): Promise<void> {
  try {
    await git('fetch', '--progress', '--depth=1', '--no-tags', 'origin', commit ?? '');
  } catch {
    // Whatever the reason was, the second way either works or says the same with more in it.
    signal.throwIfAborted();
    await git('fetch', '--progress', '--no-tags', 'origin', `refs/heads/${branch}`);
  }
}

/**
 * `private://<name>/<path>` is a repository behind the VCS agent pool of that name: the launcher's mapping gives
 * the address at which this worker reaches it. Everything else is an address for git itself.
 */
export function addressOf(repository: string, mappings: readonly VcsMapping[]): string {
  const [, name, path] = /^private:\/\/([^/]+)\/(.+)$/.exec(repository) ?? [];
  if (name !== undefined && path !== undefined) {
    const mapping = mappings.find((candidate) => candidate.name === name);
    if (mapping !== undefined) return `${mapping.baseEndpoint}/${path}`;
    throw unavailable(
      repository,
      `this worker has no address for the VCS agent pool ${JSON.stringify(name)}; set SPACELIFT_PRIVATEVCS_MAPPING_NAME_<n> and …_BASE_ENDPOINT_<n>`,
    );
  }
  const known = /^(https?|ssh|git|file):\/\/|^\/|^[\w.-]+@[\w.-]+:/.test(repository);
  if (known) return repository;
  throw unavailable(repository, 'expected an address with https, ssh, git or file, or user@host:path');
}

async function answerOf(ending: Promise<GitEnd>, address: string): Promise<string> {
  const { code, answer, words } = await ending.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw unavailable(address, 'git is not installed on this worker');
    throw error;
  });
  if (code === 0) return answer;
  throw unavailable(address, withoutPassword(lastWords(words)) || `git ended with exit code ${String(code)}`);
}

/** Characters of git's own words that an error quotes. */
const quoted = 1000;
/** Git says all the time how far it is: that keeps a run from counting as silent, and explains nothing. */
const progress = /^(remote: )?([A-Z][a-z]+ [a-z]+: +\d+|Total \d+ )/;

export function lastWords(text: string): string {
  const lines = text.split(/[\r\n]+/).filter((line) => !progress.test(line));
  return lines.join('\n').trim().slice(-quoted);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Addresses may hold a user's password or token. */
export function withoutPassword(text: string): string {
  return text.replace(/(\w+:\/\/)[^\s/@]+@/g, '$1***@');
}

function unavailable(address: string, reason: unknown): PoolwrightError {
  const words = typeof reason === 'string' ? reason : messageOf(reason);
  return new PoolwrightError(
    'SOURCE_UNAVAILABLE',
    `The repository ${withoutPassword(address)} cannot be fetched: ${words}`,
  );
}
