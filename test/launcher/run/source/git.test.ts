// Repositories behind a VCS agent pool: the mapping gives the address at which this worker reaches them.
import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withoutProxies } from '../../../../launcher/network/proxies.js';
import { checkOut, lastWords } from '../../../../launcher/run/source/git.js';
import { startGitServer, type GitServer } from '../../support/git-server.js';
import { makePool } from '../../support/pool.js';

let folder: string;
let server: GitServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-git-'));
  await mkdir(join(folder, 'server'));
  server = await startGitServer(join(folder, 'server'));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function fetchFrom(
  repository: string,
  name: string,
  onProgress?: () => void,
): Promise<{ folder: string; lines: string[] }> {
  const at = await mkdtemp(join(folder, 'run-'));
  await mkdir(join(at, 'workspace'));
  await mkdir(join(at, 'scratch'));
  const lines: string[] = [];
  const source = { kind: 'git', repository, branch: 'main', commit: null } as const;
  await checkOut(
    {
      run: '01JD0000000000000000000000',
      source,
      workspace: null,
      folder: join(at, 'workspace'),
      scratch: join(at, 'scratch'),
      privateKey: (await makePool()).key,
      vcsMappings: [{ name, baseEndpoint: `http://127.0.0.1:${String(server.port)}` }],
      proxies: withoutProxies,
      fetchObject: () => Promise.reject(new Error('there are no objects')),
      onLine: (line) => lines.push(line),
      ...(onProgress === undefined ? {} : { onProgress }),
      signal: new AbortController().signal,
    },
    source,
  );
  return { folder: join(at, 'workspace'), lines };
}

describe('a private repository', () => {
  test("is fetched from the mapping's address, and that is the remote of the run", async () => {
    const { folder: at, lines } = await fetchFrom(
      'private://bitbucket_pool/repository.git',
      'bitbucket_pool',
    );
    expect(await readFile(join(at, 'greeting'), 'utf8')).toBe('hello from the repository\n');
    const address = `http://127.0.0.1:${String(server.port)}/repository.git`;
    expect(await readFile(join(at, '.git', 'config'), 'utf8')).toContain(`url = ${address}\n`);
    expect(lines[0]).toBe(`Fetching ${address} at the branch main.`);
    expect(server.asked).toContain('/repository.git/info/refs');
  });

  test('that is long on its way is heard of all the time', async () => {
    let heard = 0;
    await fetchFrom('private://pool/repository.git', 'pool', () => (heard += 1));
    expect(heard).toBeGreaterThan(0);
  });

  test('of a pool without a mapping is refused with what to set', async () => {
    await expect(fetchFrom('private://github_pool/repository.git', 'bitbucket_pool')).rejects.toThrow(
      /no address for the VCS agent pool "github_pool"; set SPACELIFT_PRIVATEVCS_MAPPING_NAME_<n>/,
    );
  });
});

test('the last words of git are its reason, and not how far it was', () => {
  const words =
    'remote: Enumerating objects: 3002, done.        \nremote: Counting objects:   3% (91/3002)        \r' +
    'remote: Total 3002 (delta 0), reused 0 (delta 0), pack-reused 0        \n' +
    'Receiving objects:  12% (361/3002), 5.63 MiB | 11.23 MiB/s\rfatal: early EOF\nfatal: fetch-pack: invalid index-pack output\n';
  expect(lastWords(words)).toBe('fatal: early EOF\nfatal: fetch-pack: invalid index-pack output');
  expect(lastWords(`${'x'.repeat(2000)} at its end`)).toMatch(/^x+ at its end$/);
});
