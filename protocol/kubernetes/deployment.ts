// The pool controller as a Deployment. `Text` is what stands for values that others may know only later, such as a
// component's inputs; they are placed, never looked into.

export interface ControllerSettings<Text = string> {
  /** Begins the names of all objects. */
  readonly name: string;
  readonly namespace: Text;
  /** Image of the controller and of the launcher's containers in run pods. */
  readonly image: Text;
  readonly replicas: number;
  /** Look after the pools of the controller's own namespace. */
  readonly ownNamespace: boolean;
  /** Further namespaces whose pools it looks after. None, and not its own: all. */
  readonly namespaces: readonly string[];
  /** Whether figures are served; `secure`: by HTTPS, for those whom the API server lets get them. */
  readonly metrics?: { readonly secure: boolean } | undefined;
  readonly resources?: Resources | undefined;
}

export interface Resources {
  readonly requests?: Record<string, string>;
  readonly limits?: Record<string, string>;
}

export const controllerDefaults = {
  name: 'spacelift-workerpool-controller',
  namespace: 'spacelift-worker-controller-system',
  replicas: 1,
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
} as const;

/** Ports that the controller's containers answer on. */
export const ports = { health: 8081, metrics: 8443 } as const;

/** Labels of everything that belongs to a controller; they select its pods. */
export function controllerLabels(name: string): Record<string, string> {
  return { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': 'controller' };
}

export const accountName = (name: string) => `${name}-controller-manager`;

/** Names of the namespaces in the rights that the controller needs; `all` for those of the cluster. */
export function scopeOf<Text>(settings: ControllerSettings<Text>): 'all' | readonly (Text | string)[] {
  const { ownNamespace, namespace, namespaces } = settings;
  if (!ownNamespace && namespaces.length === 0) return 'all';
  return [...(ownNamespace ? [namespace] : []), ...namespaces];
}

export function controllerDeployment<Text>(settings: ControllerSettings<Text>) {
  const { name, namespace, image, replicas, ownNamespace, namespaces, metrics } = settings;
  const labels = controllerLabels(name);
  const probe = (path: string, initialDelaySeconds: number) => ({
    httpGet: { path, port: 'health' },
    periodSeconds: 10,
    initialDelaySeconds,
  });
  return {
    apiVersion: 'apps/v1' as const,
    kind: 'Deployment' as const,
    metadata: { name: accountName(name), namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      // A new one leads as soon as the old one has let go.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'manager' } },
        spec: {
          serviceAccountName: accountName(name),
          terminationGracePeriodSeconds: 10,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1983,
            runAsGroup: 1983,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'manager',
              image,
              command: ['launcher', 'controller'],
              args: [
                '--leader-elect',
                '--controller-namespace=$(CONTROLLER_NAMESPACE)',
                `--health-probe-bind-address=:${String(ports.health)}`,
                `--metrics-bind-address=${metrics === undefined ? '0' : `:${String(ports.metrics)}`}`,
                ...(metrics === undefined ? [] : [`--metrics-secure=${String(metrics.secure)}`]),
                ...(ownNamespace ? ['--namespaces=$(CONTROLLER_NAMESPACE)'] : []),
                ...namespaces.map((where) => `--namespaces=${where}`),
              ],
              env: [
                {
                  name: 'CONTROLLER_NAMESPACE',
                  valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
                },
                { name: 'POOLWRIGHT_LAUNCHER_IMAGE', value: image },
              ],
              ports: [
                { name: 'health', containerPort: ports.health },
                ...(metrics === undefined ? [] : [{ name: 'metrics', containerPort: ports.metrics }]),
              ],
              livenessProbe: probe('/healthz', 15),
              readinessProbe: probe('/readyz', 1),
              resources: settings.resources ?? controllerDefaults.resources,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  };
}
