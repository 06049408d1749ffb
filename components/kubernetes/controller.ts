// The controller of a pool: its account, its rights, its Deployment, and how its figures are collected.
import * as pulumi from '@pulumi/pulumi';
import { Deployment } from '@pulumi/kubernetes/apps/v1/deployment.js';
import { ServiceAccount } from '@pulumi/kubernetes/core/v1/serviceAccount.js';
import { Role } from '@pulumi/kubernetes/rbac/v1/role.js';
import { RoleBinding } from '@pulumi/kubernetes/rbac/v1/roleBinding.js';
import { controllerDeployment, type ControllerSettings } from '../../protocol/kubernetes/deployment.js';
import { roles, serviceAccount } from '../../protocol/kubernetes/manifests.js';
import type { ChildOptions } from '../plan.js';
import type { KubernetesWorkerPoolArgs } from './arguments.js';
import { controllerAdditions } from './environment.js';
import type { Labelled } from './labels.js';
import { metricsOf, servingOf } from './metrics.js';
import type { KubernetesPlan } from './plan.js';

export interface ControllerParts {
  readonly namespace: pulumi.Output<string>;
  readonly image: pulumi.Input<string>;
  /** Name of the ConfigMap with certificates, or null. */
  readonly certificates: pulumi.Output<string> | null;
  readonly labelled: Labelled;
}

/** Everything that has to be there while the pool is. */
export function controllerOf(
  name: string,
  args: KubernetesWorkerPoolArgs,
  plan: KubernetesPlan,
  { namespace, image, certificates, labelled }: ControllerParts,
  options: ChildOptions,
): pulumi.Resource[] {
  const given = args.controller ?? {};
  const settings: ControllerSettings<pulumi.Input<string>> = {
    name,
    namespace,
    image,
    replicas: given.replicas ?? 1,
    ownNamespace: true,
    namespaces: given.namespaces ?? [],
    metrics: servingOf(args),
  };
  const account = serviceAccount(settings);
  const rights: pulumi.Resource[] = [
    new ServiceAccount(
      `${name}-controller`,
      {
        ...account,
        metadata: {
          ...labelled(account.metadata),
          ...(given.serviceAccountAnnotations === undefined
            ? {}
            : { annotations: given.serviceAccountAnnotations }),
        },
      },
      options,
    ),
    ...roles(settings).flatMap(({ role, binding }, index) => {
      const part =
        index === 0 ? 'controller' : index === 1 ? 'pools' : `pools-${given.namespaces?.[index - 2] ?? ''}`;
      const granted = new Role(`${name}-${part}`, { ...role, metadata: labelled(role.metadata) }, options);
      return [
        granted,
        new RoleBinding(
          `${name}-${part}`,
          { ...binding, metadata: labelled(binding.metadata) },
          { ...options, dependsOn: [granted] },
        ),
      ];
    }),
  ];
  const deployment = controllerDeployment(settings);
  const additions = pulumi
    .all([plan.options, certificates])
    .apply(([{ proxy }, configMap]) => controllerAdditions(proxy, configMap));
  const { template } = deployment.spec;
  const containers = template.spec.containers.map((container) => ({
    ...container,
    env: additions.apply(({ env }) => [...container.env, ...env]),
    ...(certificates === null ? {} : { volumeMounts: additions.apply(({ volumeMounts }) => volumeMounts) }),
    ...(given.resources === undefined ? {} : { resources: given.resources }),
  }));
  const manager = new Deployment(
    `${name}-controller`,
    {
      ...deployment,
      metadata: labelled(deployment.metadata),
      spec: {
        ...deployment.spec,
        template: {
          ...template,
          spec: {
            ...template.spec,
            containers,
            ...(certificates === null ? {} : { volumes: additions.apply(({ volumes }) => volumes) }),
            nodeSelector: pulumi
              .output(given.nodeSelector ?? {})
              .apply((more) => ({ ...template.spec.nodeSelector, ...more })),
            ...(given.tolerations === undefined ? {} : { tolerations: given.tolerations }),
            ...(given.priorityClassName === undefined ? {} : { priorityClassName: given.priorityClassName }),
            ...(given.imagePullSecrets === undefined
              ? {}
              : { imagePullSecrets: given.imagePullSecrets.map((secret) => ({ name: secret })) }),
          },
        },
      },
    },
    // It reads its rights at its start.
    { ...options, dependsOn: pulumi.output(options.dependsOn ?? []).apply(() => rights) },
  );
  const serving = settings.metrics;
  if (serving === undefined) return [...rights, manager];
  return [...rights, manager, ...metricsOf(name, args, settings, serving, labelled, options)];
}
