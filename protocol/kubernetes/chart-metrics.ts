// The chart's templates of figures: Service, what the Prometheus operator reads, and the rights that secured figures need.
import type { ControllerSettings } from './deployment.js';
import { metricsRoles } from './manifests.js';
import { metricsService, serviceMonitor } from './monitoring.js';
import { at, type Slots } from './slots.js';

const enabled = at('metricsService.enabled');
const secure = at('metricsService.secure');
const monitorValue = (name: string) => at(`metricsService.serviceMonitor.${name}`);

/** Objects under the conditions in which they are made. `account` is the name of the controller's service account. */
export function metricsTemplates(
  { inline, block, optional, entries }: Slots,
  settings: ControllerSettings,
  account: string,
): readonly { readonly when: string; readonly objects: readonly object[] }[] {
  const service = metricsService(settings, { secure: true });
  const monitor = serviceMonitor(
    settings,
    { secure: true },
    { interval: inline(monitorValue('interval')), labels: {} },
  );
  const [endpoint] = monitor.spec.endpoints;
  const { asking, binding, reading } = metricsRoles(settings, (part) => `${settings.name}-${part}`);
  const subjects = binding.subjects.map((subject) => ({ ...subject, name: account }));
  const ifSecure = (name: string, otherwise: string) =>
    optional(`(ternary ${monitorValue(name)} ${otherwise} ${secure})`);
  return [
    { when: `and ${enabled} ${secure}`, objects: [asking, { ...binding, subjects }, reading] },
    {
      when: enabled,
      objects: [
        {
          ...service,
          spec: {
            ...service.spec,
            type: inline(at('metricsService.type')),
            ports: block(at('metricsService.ports')),
          },
        },
      ],
    },
    {
      when: `and ${enabled} ${monitorValue('enabled')}`,
      objects: [
        {
          ...monitor,
          metadata: {
            ...monitor.metadata,
            namespace: inline(`${monitorValue('namespace')} | default $.Release.Namespace`),
            labels: { ...monitor.metadata.labels, ...entries(monitorValue('additionalLabels')) },
            annotations: optional(monitorValue('annotations')),
          },
          spec: {
            ...monitor.spec,
            namespaceSelector: { matchNames: [settings.namespace] },
            endpoints: [
              {
                ...endpoint,
                port: inline(monitorValue('port')),
                path: inline(monitorValue('path')),
                scrapeTimeout: inline(monitorValue('scrapeTimeout')),
                scheme: inline(`${monitorValue('scheme')} | default (ternary "https" "http" ${secure})`),
                bearerTokenFile: ifSecure('bearerTokenFile', '""'),
                tlsConfig: ifSecure('tlsConfig', '(dict)'),
              },
            ],
          },
        },
      ],
    },
  ];
}
