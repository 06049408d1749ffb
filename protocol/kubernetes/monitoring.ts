// How the controller's figures are collected: a Service, and what the Prometheus operator reads to find it.
import { controllerLabels, type ControllerSettings } from './deployment.js';

type Place<Text> = Pick<ControllerSettings<Text>, 'name' | 'namespace'>;

export function metricsService<Text>({ name, namespace }: Place<Text>, port: number) {
  const labels = controllerLabels(name);
  return {
    apiVersion: 'v1' as const,
    kind: 'Service' as const,
    metadata: { name: `${name}-metrics`, namespace, labels },
    spec: { type: 'ClusterIP', selector: labels, ports: [{ name: 'metrics', port, targetPort: 'metrics' }] },
  };
}

export function serviceMonitor<Text>(
  { name, namespace }: Place<Text>,
  options: { readonly interval: string; readonly labels: Readonly<Record<string, string>> },
) {
  const labels = controllerLabels(name);
  return {
    apiVersion: 'monitoring.coreos.com/v1' as const,
    kind: 'ServiceMonitor' as const,
    metadata: { name: `${name}-metrics`, namespace, labels: { ...labels, ...options.labels } },
    spec: {
      selector: { matchLabels: labels },
      endpoints: [{ port: 'metrics', path: '/metrics', scheme: 'http', interval: options.interval }],
    },
  };
}
