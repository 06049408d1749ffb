// Repositories: at the address that a mapping gives, by https with own authorities, by ssh; and what is left of git when it
// is ended.
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { markedProcesses } from '../../../../launcher/executors/host-processes.js';
import { withoutProxies } from '../../../../launcher/network/proxies.js';
import { checkOut, lastWords } from '../../../../launcher/run/source/git.js';
import { hangingGitServer } from '../../../faults/support/hanging-git.js';
import { startGitServer, type GitServer } from '../../support/git-server.js';
import { makePool } from '../../support/pool.js';
import { until } from '../../support/until.js';

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

const mark = `git-test.${String(process.pid)}.1.source`;

async function fetchFrom(
  repository: string,
  name = '',
  {
    onProgress = () => undefined,
    signal = new AbortController().signal,
    environment = {},
  }: {
    readonly onProgress?: () => void;
    readonly signal?: AbortSignal;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
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
      mark,
      folder: join(at, 'workspace'),
      scratch: join(at, 'scratch'),
      privateKey: (await makePool()).key,
      vcsMappings: [{ name, baseEndpoint: `http://127.0.0.1:${String(server.port)}` }],
      proxies: withoutProxies,
      environment: { PATH: process.env['PATH'], ...environment },
      fetchObject: () => Promise.reject(new Error('there are no objects')),
      onLine: (line) => lines.push(line),
      onProgress,
      signal,
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
    await fetchFrom('private://pool/repository.git', 'pool', { onProgress: () => (heard += 1) });
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

describe('a repository', () => {
  test.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'GIT_SSL_CAINFO'])(
    'whose authority %s names is trusted, and no other one',
    async (variable) => {
      const [own, other] = await Promise.all([makePool(), makePool()]);
      const at = await mkdtemp(join(folder, 'tls-'));
      await mkdir(join(at, 'server'));
      const secure = await startGitServer(join(at, 'server'), own.server);
      const fetched = async (authority: string) => {
        const file = join(at, 'authority.pem');
        await writeFile(file, authority);
        const address = `https://127.0.0.1:${String(secure.port)}/repository.git`;
        return fetchFrom(address, '', { environment: { [variable]: file } });
      };
      try {
        const { folder: files } = await fetched(own.authority.certificate);
        expect(await readFile(join(files, 'greeting'), 'utf8')).toBe('hello from the repository\n');
        await expect(fetched(other.authority.certificate)).rejects.toMatchObject({
          code: 'SOURCE_UNAVAILABLE',
          message: expect.stringMatching(/certificate/) as string,
        });
      } finally {
        await secure.close();
      }
    },
  );

  test('of a server is not asked for while a file with authorities cannot be read', async () => {
    const missing = { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' };
    await expect(fetchFrom('https://127.0.0.1:1/x', '', { environment: missing })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message: expect.stringContaining('/nowhere/ca.pem') as string,
    });
  });

  test('by ssh is fetched with the command that GIT_SSH_COMMAND names, and the agent of SSH_AUTH_SOCK', async () => {
    const said = join(folder, 'agent');
    const command = join(folder, 'ssh');
    // Git gives host and command; this one has the repository itself.
    await writeFile(
      command,
      `#!/bin/sh\necho "$SSH_AUTH_SOCK" >${said}\nfor last; do :; done\nexec sh -c "$last"\n`,
      { mode: 0o755 },
    );
    const { folder: files } = await fetchFrom(
      `ssh://git@git.example.com${join(folder, 'server', 'repository.git')}`,
      '',
      { environment: { GIT_SSH_COMMAND: command, SSH_AUTH_SOCK: '/run/agent.sock' } },
    );
    expect(await readFile(join(files, 'greeting'), 'utf8')).toBe('hello from the repository\n');
    expect(await readFile(said, 'utf8')).toBe('/run/agent.sock\n');
  });
});

describe('git that is ended while its server says nothing', () => {
  test('is gone with the helper that speaks to the server, and the reason is told', async () => {
    const hanging = await hangingGitServer();
    const cancel = new AbortController();
    const fetched = fetchFrom(hanging.http, '', { signal: cancel.signal }).catch((error: unknown) => error);
    await until(() => hanging.connections() > 0, 'git to connect');
    const commands = await Promise.all(
      (await markedProcesses(mark)).map((pid) => readFile(`/proc/${String(pid)}/cmdline`, 'utf8')),
    );
    expect(commands.join('\n')).toMatch(/git\0.*fetch(.|\n)*remote-http/);
    cancel.abort(new Error('the run was stopped'));
    expect(await fetched).toEqual(new Error('the run was stopped'));
    expect(await markedProcesses(mark)).toEqual([]);
    hanging.close();
  });
});
