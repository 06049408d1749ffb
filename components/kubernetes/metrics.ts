// How the figures of a pool's controller are collected: a Service, a ServiceMonitor, and the rights that secured ones need.
import * as pulumi from '@pulumi/pulumi';
import { CustomResource } from '@pulumi/kubernetes/apiextensions/customResource.js';
import { Service } from '@pulumi/kubernetes/core/v1/service.js';
import { ClusterRole } from '@pulumi/kubernetes/rbac/v1/clusterRole.js';
import { ClusterRoleBinding } from '@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js';
import type { ControllerSettings } from '../../protocol/kubernetes/deployment.js';
import { metricsRoles } from '../../protocol/kubernetes/manifests.js';
import { metricsService, serviceMonitor } from '../../protocol/kubernetes/monitoring.js';
import type { ChildOptions } from '../plan.js';
import type { KubernetesWorkerPoolArgs } from './arguments.js';
import type { Labelled } from './labels.js';

type Serving = NonNullable<ControllerSettings['metrics']>;

/** Undefined: no figures are served. */
export function servingOf({ metrics }: KubernetesWorkerPoolArgs): Serving | undefined {
  return metrics === undefined ? undefined : { secure: metrics.secure !== false };
}

export function metricsOf(
  name: string,
  { metrics }: KubernetesWorkerPoolArgs,
  settings: ControllerSettings<pulumi.Input<string>>,
  serving: Serving,
  labelled: Labelled,
  options: ChildOptions,
): pulumi.Resource[] {
  const service = metricsService(settings, serving);
  const made: pulumi.Resource[] = [
    ...(serving.secure ? rightsOf(name, settings, labelled, options) : []),
    new Service(
      `${name}-metrics`,
      {
        ...service,
        metadata: {
          ...labelled(service.metadata),
          // There may be no controller that is ready, and the Service is none the worse for it.
          annotations: { 'pulumi.com/skipAwait': 'true' },
        },
      },
      options,
    ),
  ];
  if (metrics?.serviceMonitor === true) {
    const monitor = serviceMonitor(settings, serving, {
      interval: metrics.interval ?? '30s',
      labels: metrics.labels ?? {},
    });
    made.push(
      new CustomResource(`${name}-metrics`, { ...monitor, metadata: labelled(monitor.metadata) }, options),
    );
  }
  return made;
}

/** Their names are the cluster's, so the namespace is a part of them. */
function rightsOf(
  name: string,
  settings: ControllerSettings<pulumi.Input<string>>,
  labelled: Labelled,
  options: ChildOptions,
): pulumi.Resource[] {
  const { asking, binding, reading } = metricsRoles<pulumi.Input<string>>(
    settings,
    (part) => pulumi.interpolate`${settings.namespace}-${name}-${part}`,
  );
  const role = (part: string, { metadata, ...rest }: typeof asking | typeof reading) =>
    new ClusterRole(`${name}-metrics-${part}`, { ...rest, metadata: labelled(metadata) }, options);
  const granted = role('auth', asking);
  return [
    granted,
    new ClusterRoleBinding(
      `${name}-metrics-auth`,
      { ...binding, metadata: labelled(binding.metadata) },
      { ...options, dependsOn: [granted] },
    ),
    role('reader', reading),
  ];
}
