// The commands of the page for users: ones that a shell takes, with names that are there, and that do on a real API server
// what the page says, as far as one without a node goes.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasApiServer, startApiServer, type ApiServer } from './support/api-server.js';
import { installDefinitions, json } from './support/manifests.js';

const yaml = createRequire(import.meta.url)('js-yaml') as { loadAll(text: string): unknown[] };
const page = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, text = '']) => text);
/** In the text of the page, too; a name such as `kubectl logs` is no command. */
const inline = [...page.replaceAll(/^```[^]*?^```/gm, '').matchAll(/`([^`]+)`/g)]
  .map(([, text = '']) => text.replaceAll(/\s+/g, ' '))
  .filter((text) => /^kubectl( \S+){2}/.test(text));

/** With the names that the page leaves to its readers. */
const filled = (text: string) =>
  text
    .replaceAll('<pool id>', '01HZ00000000000000000P0001')
    .replaceAll('<run id>', '01HZ00000000000000000R0001')
    .replaceAll('worker/NAME', 'worker/builds-1');

/** One a line, without comments. */
const commands = [...blocks, ...inline]
  .map((text) => text.replaceAll('\\\n', ' ').replaceAll(/ +#.*$/gm, ''))
  .flatMap((text) => text.split('\n'))
  .filter((line) => line.startsWith('kubectl '));

const namespace = 'spacelift-worker-controller-system';
const printed = () =>
  execFileSync(
    process.execPath,
    ['scripts/manifests.mjs', '--image', 'registry.test/launcher:1', '--metrics'],
    { encoding: 'utf8' },
  );

describe('the commands of docs/kubernetes.md', () => {
  test.each([...blocks, ...inline])('%s: is one for a shell', (text) => {
    expect(() => execFileSync('bash', ['-n'], { input: text, stdio: 'pipe' })).not.toThrow();
  });

  test('name what the manifests make', () => {
    const made = (
      yaml.loadAll(printed()) as { kind: string; metadata: { name: string; namespace?: string } }[]
    ).map(({ kind, metadata }) => [kind, metadata.namespace ?? '', metadata.name].join(' '));
    const asked = commands.flatMap((command) => {
      // By the component, they are named after the pool.
      const where = /-n ([a-z-]+)/.exec(command)?.[1];
      const deployment = /\bdeploy(?:ment)?\/([a-z-]+)/.exec(command)?.[1];
      const role = /--clusterrole=(\S+)/.exec(command)?.[1];
      return [
        ...(where === undefined || deployment === undefined ? [] : [`Deployment ${where} ${deployment}`]),
        ...(role === undefined ? [] : [`ClusterRole  ${role}`]),
      ];
    });
    expect(asked).toHaveLength(3);
    expect(made).toEqual(expect.arrayContaining(asked));
  });
});

describe.runIf(hasApiServer('the commands of the page for users'))('on a real API server', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
    await installDefinitions(server);
    for (const name of [namespace, 'monitoring']) await server.kubectl(['create', 'namespace', name]);
    await server.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], printed());
    await server.kubectl(['create', 'serviceaccount', 'prometheus-k8s', '-n', 'monitoring']);
    const labelled = (name: string, label: string, value: string) => ({
      metadata: { name, labels: { [`workers.spacelift.io/${label}`]: filled(value) } },
    });
    const own = 'workers.spacelift.io/v1beta1';
    const containers = [{ name: 'worker', image: 'registry.test/runner:1' }];
    await server.kubectl(
      ['apply', '-f', '-'],
      json(
        { apiVersion: own, kind: 'WorkerPool', ...labelled('builds', 'ulid', '<pool id>'), spec: {} },
        { apiVersion: own, kind: 'Worker', ...labelled('builds-1', 'workerpool', '<pool id>') },
        {
          ...{ apiVersion: 'v1', kind: 'Pod', ...labelled('a-run', 'run-id', '<run id>') },
          spec: { containers, nodeName: 'nowhere' },
        },
        {
          ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'an-event' }, reason: 'RunAssigned' },
          involvedObject: { apiVersion: own, kind: 'Worker', name: 'builds-1', namespace: 'default' },
        },
      ),
    );
  }, 120_000);
  afterAll(() => server.close());

  const shell = async (command: string) => {
    const PATH = `${resolve('.tools/bin')}:${process.env['PATH'] ?? ''}`;
    const env = { PATH, KUBECONFIG: server.kubeconfig.admin, HOME: '/nonexistent' };
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', filled(command)], { env });
    return { stdout, stderr };
  };
  const answered = commands.filter((command) =>
    /^kubectl (get|describe|explain|events|scale|patch|create clusterrolebinding) .*[a-z]/.test(command),
  );

  test('there are those that this is about', () => {
    const verbs = new Set(answered.map((command) => command.split(' ')[1]));
    expect([...verbs].sort()).toEqual(['create', 'describe', 'events', 'explain', 'get', 'patch', 'scale']);
  });

  test.each([...new Set(answered)])('%s', async (command) => {
    const { stdout, stderr } = await shell(command);
    // That nothing was found is said there.
    expect(stderr).toBe('');
    expect(stdout).not.toBe('');
  });

  test('the log of a run is asked of the node of its pod', async () => {
    const command = commands.find((line) => line.startsWith('kubectl logs -l')) ?? '';
    await expect(shell(command)).rejects.toThrow(/nowhere.* not found/);
  });

  test('whoever is bound to the role for figures may read them, with the token that is made', async () => {
    const [, command = ''] = /\$\((kubectl create token [^)]+)\)/.exec(page) ?? [];
    expect((await shell(command)).stdout.trim().split('.')).toHaveLength(3);
    const account = 'system:serviceaccount:monitoring:prometheus-k8s';
    const answer = await server.kubectl(['auth', 'can-i', 'get', '/metrics', `--as=${account}`]);
    expect(answer.trim()).toBe('yes');
  });
});
