// Figures of a pool's controller: how the component has them served, collected and kept from others.
import { beforeAll, describe, expect, it } from 'vitest';
import type { MetricsArgs } from '../../components/kubernetes/arguments.js';
import { KubernetesWorkerPool } from '../../components/kubernetes-worker-pool.js';
import { deploy, type Deployment } from './support/deployment.js';
import { kubernetes } from './support/kubernetes.js';
import { poolCredentials } from './support/pool-credentials.js';

let credentials: { token: string; privateKey: string };
beforeAll(async () => {
  credentials = await poolCredentials();
});

const make = (metrics?: MetricsArgs) =>
  deploy(() => {
    const launcher = { image: 'registry.test/launcher:1' };
    const given = metrics === undefined ? {} : { metrics };
    new KubernetesWorkerPool('builds', { ...credentials, launcher, namespace: 'ci', ...given });
  }, kubernetes);
const listOf = ({ resources }: Deployment) => resources.map(({ type }) => type.split(':').at(-1) ?? '');
const argumentsOf = (deployment: Deployment) => {
  const spec = deployment.one('Deployment').inputs['spec'] as {
    template: { spec: { containers: [{ args: string[] }] } };
  };
  return spec.template.spec.containers[0].args;
};
const endpointsOf = (deployment: Deployment) =>
  (deployment.one('ServiceMonitor').inputs['spec'] as { endpoints: object[] }).endpoints;

describe('figures of a pool on Kubernetes', () => {
  it('are not served unless they are asked for', async () => {
    const deployment = await make();
    expect(argumentsOf(deployment)).toContain('--metrics-bind-address=0');
    expect(listOf(deployment)).not.toContain('Service');
  });

  it('are secured, and a Prometheus is told of them', async () => {
    const deployment = await make({
      serviceMonitor: true,
      interval: '15s',
      labels: { release: 'prometheus' },
    });
    expect(argumentsOf(deployment)).toEqual(
      expect.arrayContaining(['--metrics-bind-address=:8443', '--metrics-secure=true']),
    );
    expect(deployment.one('ServiceMonitor').inputs['metadata']).toMatchObject({
      labels: { release: 'prometheus' },
    });
    const collected = { port: 'https', scheme: 'https', interval: '15s' };
    expect(endpointsOf(deployment)).toMatchObject([
      { ...collected, tlsConfig: { insecureSkipVerify: true } },
    ]);
    // Names of the cluster: pools of one name in two namespaces do not share them.
    const roles = deployment.resources.filter(({ type }) => type.endsWith(':ClusterRole'));
    const names = roles.map(({ inputs }) => (inputs['metadata'] as { name: string }).name);
    expect(names).toEqual(['ci-builds-metrics-auth-role', 'ci-builds-metrics-reader']);
    expect(listOf(await make({}))).not.toContain('ServiceMonitor');
  });

  it('need no rights of the cluster when they are not to be secured', async () => {
    const deployment = await make({ secure: false, serviceMonitor: true });
    expect(argumentsOf(deployment)).toContain('--metrics-secure=false');
    expect(listOf(deployment).filter((kind) => kind.startsWith('ClusterRole'))).toEqual([]);
    expect(endpointsOf(deployment)).toEqual([
      { port: 'http', path: '/metrics', interval: '30s', scheme: 'http' },
    ]);
  });
});
