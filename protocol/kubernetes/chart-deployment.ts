// The controller's Deployment in the chart: that of the manifests, with values in their places.
import { controllerDeployment, ports, type ControllerSettings } from './deployment.js';
import { at, type Slots } from './slots.js';

const manager = 'controllerManager.manager';

/** `account` is the name of its service account. */
export function deploymentOf(slots: Slots, settings: ControllerSettings, account: string): object {
  const { inline, block, optional, lines, entries } = slots;
  const deployment = controllerDeployment(settings);
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const metricsEnabled = at('metricsService.enabled');
  return {
    ...deployment,
    metadata: {
      ...deployment.metadata,
      labels: {
        ...deployment.metadata.labels,
        ...entries(at('controllerManager.extraLabels')),
      },
      annotations: optional(at('controllerManager.annotations')),
    },
    spec: {
      ...deployment.spec,
      replicas: inline(at('controllerManager.replicas')),
      template: {
        metadata: {
          labels: {
            ...deployment.spec.template.metadata.labels,
            ...entries(at(`${manager}.extraPodLabels`)),
          },
          annotations: {
            ...deployment.spec.template.metadata.annotations,
            ...entries(at('controllerManager.podAnnotations')),
          },
        },
        spec: {
          ...pod,
          serviceAccountName: account,
          nodeSelector: {
            ...pod.nodeSelector,
            ...entries(at('controllerManager.nodeSelector')),
          },
          tolerations: optional(at('controllerManager.tolerations')),
          topologySpreadConstraints: optional(at('controllerManager.topologySpreadConstraints')),
          imagePullSecrets: optional(at('controllerManager.imagePullSecrets')),
          volumes: optional(at('controllerManager.extraVolumes')),
          containers: [
            {
              ...container,
              args: lines(`{{ toYaml ${at(`${manager}.args`)} }}
- --controller-namespace=$(CONTROLLER_NAMESPACE)
- --metrics-bind-address={{ ternary ":${String(ports.metrics)}" "0" ${metricsEnabled} }}
{{- if ${metricsEnabled} }}
- --metrics-secure={{ ${at('metricsService.secure')} }}
{{- end }}
{{- range ${at('controllerManager.namespaces')} }}
- --namespaces={{ . }}
{{- end }}`),
              ports: lines(`- name: health
  containerPort: ${String(ports.health)}
{{- if ${metricsEnabled} }}
- name: metrics
  containerPort: ${String(ports.metrics)}
{{- end }}`),
              resources: block(at(`${manager}.resources`)),
              securityContext: block(at(`${manager}.containerSecurityContext`)),
              volumeMounts: optional(at(`${manager}.extraVolumeMounts`)),
            },
          ],
        },
      },
    },
  };
}
