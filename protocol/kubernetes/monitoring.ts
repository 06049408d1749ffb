// How the controller's figures are collected: a Service, and what the Prometheus operator reads to find it.
import { controllerLabels, ports, type ControllerSettings } from './deployment.js';

type Place<Text> = Pick<ControllerSettings<Text>, 'name' | 'namespace'>;
type Serving = NonNullable<ControllerSettings['metrics']>;

const portName = ({ secure }: Serving) => (secure ? 'https' : 'http');

export function metricsService<Text>({ name, namespace }: Place<Text>, serving: Serving) {
  const labels = controllerLabels(name);
  return {
    apiVersion: 'v1' as const,
    kind: 'Service' as const,
    metadata: { name: `${name}-metrics-service`, namespace, labels },
    spec: {
      type: 'ClusterIP',
      selector: labels,
      ports: [{ name: portName(serving), port: ports.metrics, protocol: 'TCP', targetPort: 'metrics' }],
    },
  };
}

/** How a collector proves who it is: by the token of its own service account. */
export const collectorsToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export function serviceMonitor<Text>(
  { name, namespace }: Place<Text>,
  serving: Serving,
  options: { readonly interval: string; readonly labels: Readonly<Record<string, string>> },
) {
  const labels = controllerLabels(name);
  return {
    apiVersion: 'monitoring.coreos.com/v1' as const,
    kind: 'ServiceMonitor' as const,
    metadata: { name: `${name}-metrics-service`, namespace, labels: { ...labels, ...options.labels } },
    spec: {
      selector: { matchLabels: labels },
      endpoints: [
        {
          port: portName(serving),
          path: '/metrics',
          interval: options.interval,
          ...(serving.secure
            ? {
                scheme: 'https',
                bearerTokenFile: collectorsToken,
                // The controller makes its certificate itself.
                tlsConfig: { insecureSkipVerify: true },
              }
            : { scheme: 'http' }),
        },
      ],
    },
  };
}
