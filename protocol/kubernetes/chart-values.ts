// The chart's values, with what they mean, and the names that its templates share.
import { controllerDefaults, ports } from './deployment.js';
import { collectorsToken } from './monitoring.js';

/** Names that several templates use. */
export const helpers = `{{- define "controller.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "controller.account" -}}
{{- if .Values.controllerManager.serviceAccount.create -}}
{{- .Values.controllerManager.serviceAccount.name | default (printf "%s-controller-manager" (include "controller.fullname" .)) -}}
{{- else -}}
{{- .Values.controllerManager.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}
`;

/** values.yaml. */
export function valuesText({
  repository,
  tag,
}: {
  readonly repository: string;
  readonly tag: string;
}): string {
  const { requests, limits } = controllerDefaults.resources;
  return `nameOverride: ""
fullnameOverride: ""

# The definitions of WorkerPool and Worker. They stay when the release is removed, and the pools with them.
crds:
  install: true
  annotations: {}

controllerManager:
  # Namespaces whose pools it looks after, with rights there. None: all, with a ClusterRole.
  namespaces: []
  manager:
    args:
      - --health-probe-bind-address=:${String(ports.health)}
      - --leader-elect
    containerSecurityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop:
          - ALL
    # Of the controller, and of the launcher's containers in run pods.
    image:
      repository: ${repository}
      tag: ${JSON.stringify(tag)}
    resources:
      requests:
        cpu: ${requests.cpu}
        memory: ${requests.memory}
      limits:
        memory: ${limits.memory}
    extraVolumeMounts: []
    extraPodLabels: {}
  # Of several, one works.
  replicas: ${String(controllerDefaults.replicas)}
  annotations: {}
  podAnnotations: {}
  serviceAccount:
    create: true
    annotations: {}
    labels: {}
    name: ""
  nodeSelector: {}
  tolerations: []
  topologySpreadConstraints: []
  imagePullSecrets: []
  extraLabels: {}
  extraVolumes: []
  # Of the controllers: how many the maintenance of nodes leaves, or else how many it may take at a time. With one replica, a
  # minAvailable of 1 holds up its node for ever.
  pdb:
    enabled: false
    maxUnavailable: 1
    # minAvailable: 1

metricsService:
  enabled: false
  # By HTTPS, for those whom the API server lets get the non-resource URL /metrics: bind them to the ClusterRole
  # …-metrics-reader. Needs ClusterRoles. false: plain HTTP, for everyone who reaches the port.
  secure: true
  type: ClusterIP
  ports:
    - name: https
      port: ${String(ports.metrics)}
      protocol: TCP
      targetPort: metrics
  serviceMonitor:
    enabled: false
    namespace: ""
    port: https
    interval: 30s
    scrapeTimeout: 10s
    path: /metrics
    # Default: that of metricsService.secure.
    scheme: ""
    # With secure: the token by which Prometheus is known, and its trust in the controller's own certificate.
    bearerTokenFile: ${collectorsToken}
    tlsConfig:
      insecureSkipVerify: true
    additionalLabels: {}
    annotations: {}

# Keeps runs from being evicted, in each of the namespaces, or else in that of the release. A number: percentages do not
# count for pods like these.
pdb:
  enabled: false
  minAvailable: 2147483647
  # maxUnavailable: 1

# Nothing comes in but collectors of figures where metricsService is enabled; names, HTTPS, MQTT over TLS (controller only) and these TCP ports go out.
networkPolicy:
  enabled: false
  ports: []
  controllerPorts: []
`;
}
