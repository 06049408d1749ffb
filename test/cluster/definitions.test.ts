// The custom resources on a real API server: installed, upgraded, defaulted, refused, scaled.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { definitions } from '../../protocol/kubernetes/definitions.js';
import { hasApiServer, startApiServer, type ApiServer } from './support/api-server.js';
import { installDefinitions, json } from './support/manifests.js';

const pool = (name: string, spec: object) => ({
  apiVersion: 'workers.spacelift.io/v1beta1',
  kind: 'WorkerPool',
  metadata: { name },
  spec,
});
const pair = {
  token: { secretKeyRef: { name: 'pool', key: 'token' } },
  privateKey: { secretKeyRef: { name: 'pool', key: 'privateKey' } },
};

describe.runIf(hasApiServer('custom resources'))('custom resources', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
    await installDefinitions(server);
  }, 120_000);
  afterAll(() => server.close());

  const apply = (...items: readonly object[]) => server.kubectl(['apply', '-f', '-'], json(...items));
  const get = async (name: string): Promise<unknown> =>
    JSON.parse(await server.kubectl(['get', 'workerpool', name, '-o', 'json']));

  test('manifests apply as they stand in the guide', async () => {
    const documents = readFileSync(new URL('support/guide.yaml', import.meta.url), 'utf8').split(/^---$/m);
    for (const document of documents) {
      await expect(server.kubectl(['apply', '--dry-run=server', '-f', '-'], document)).resolves.toMatch(
        /created/,
      );
    }
  });

  test('what is left out gets its default', async () => {
    await apply(pool('defaults', pair));
    expect(await get('defaults')).toMatchObject({
      spec: {
        poolSize: 1,
        mqttReconnectRetryCount: 5,
        pod: { activeDeadlineSeconds: 4200 },
      },
    });
    // The controller's, so that it sees whether a time to live was given without a limit.
    for (const limit of ['failedPodsHistoryLimit', 'successfulPodsHistoryLimit'])
      expect(await get('defaults')).not.toHaveProperty(`spec.${limit}`);
  });

  test('a pool scales by kubectl, by autoscalers, and is shown with its sizes', async () => {
    await apply(pool('scaled', { ...pair, poolSize: 2 }));
    await server.kubectl(['scale', 'workerpools', 'scaled', '--replicas=5']);
    expect(await get('scaled')).toMatchObject({ spec: { poolSize: 5 } });
    const status = { desiredPoolSize: 5, actualPoolSize: 4, autoRegistered: false, selector: 'a=b' };
    await server.kubectl([
      'patch',
      'workerpool',
      'scaled',
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]);
    const scale: unknown = JSON.parse(
      await server.kubectl(['get', 'workerpool', 'scaled', '--subresource=scale', '-o', 'json']),
    );
    expect(scale).toMatchObject({ spec: { replicas: 5 }, status: { replicas: 4, selector: 'a=b' } });
    const table = await server.kubectl(['get', 'workerpools', 'scaled']);
    expect(table.split('\n')[0]).toMatch(/^NAME +DESIRED POOL SIZE +ACTUAL POOL SIZE +AUTO REGISTERED/);
  });

  test('workers are shown with pool, registration, state and run', async () => {
    await apply({
      apiVersion: 'workers.spacelift.io/v1beta1',
      kind: 'Worker',
      metadata: {
        name: 'shown',
        annotations: { 'workers.spacelift.io/workerpool-name': 'the-pool' },
      },
    });
    const table = await server.kubectl(['get', 'workers', 'shown']);
    expect(table.split('\n')[0]).toMatch(/^NAME +POOL +REGISTERED +STATUS +RUN ID/);
    expect(table.split('\n')[1]).toMatch(/^shown +the-pool/);
  });

  test.each([
    ['token without key', { token: pair.token }, /token and privateKey must both be set/],
    ['a negative size', { ...pair, poolSize: -1 }, /should be greater than or equal to 0/],
    [
      'drift limits that contradict',
      { driftDetectionRunLimits: { disabled: true, maxRuns: 2 } },
      /maxRuns cannot/,
    ],
    [
      'drift limits that say nothing',
      { driftDetectionRunLimits: {} },
      /either disabled must be true or maxRuns/,
    ],
    ['a time to live that is no duration', { ...pair, failedPodsHistoryTTL: '2 days' }, /should match/],
    [
      'pods kept and not kept',
      { ...pair, keepSuccessfulPods: true, successfulPodsHistoryLimit: 0 },
      /keeps none/,
    ],
    ['no time for a run', { ...pair, pod: { activeDeadlineSeconds: 0 } }, /greater than or equal to 1/],
    ['a volume without a name', { ...pair, pod: { volumes: [{ emptyDir: {} }] } }, /name: Required/],
    [
      'an unknown policy for pulls',
      { ...pair, pod: { workerContainer: { imagePullPolicy: 'x' } } },
      /imagePullPolicy/,
    ],
    ['a field that nobody has', { ...pair, poolsize: 3 }, /unknown field "poolsize"/],
  ])('refuses %s', async (_, spec, message) => {
    await expect(apply(pool('refused', spec))).rejects.toThrow(message);
  });

  test('the printed manifests apply, with all options', async () => {
    const print = (...options: string[]) =>
      execFileSync(
        process.execPath,
        ['scripts/manifests.mjs', '--image', 'registry.test/launcher:1', ...options],
        {
          encoding: 'utf8',
        },
      );
    // Objects of a namespace that is only about to be made cannot be tried before it is there.
    await server.kubectl(['create', 'namespace', 'spacelift-worker-controller-system']);
    const all = [
      '--metrics',
      '--replicas=2',
      '--pools=default',
      '--network-policy',
      '--pod-disruption-budget',
    ];
    for (const options of [[], all]) {
      await expect(
        server.kubectl(
          ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'],
          print(...options),
        ),
      ).resolves.toMatch(
        /deployment.apps.spacelift-workerpool-controller-controller-manager serverside-applied/,
      );
    }
  });

  test('installing again and upgrading from an older definition keep the pools', async () => {
    const [workerPool] = definitions();
    const older = structuredClone(workerPool) as unknown as {
      spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: { properties: object } } } } }[] };
    };
    const properties = older.spec.versions[0]!.schema.openAPIV3Schema.properties.spec.properties;
    Object.assign(properties, { mqttReconnectRetryCount: { type: 'integer' } });
    await apply(pool('kept', pair));
    await server.kubectl(['apply', '--server-side', '-f', '-'], json(older));
    await installDefinitions(server);
    expect(await get('kept')).toMatchObject({ spec: { ...pair, mqttReconnectRetryCount: 5 } });
  });
});
