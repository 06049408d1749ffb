// The objects that put the pool controller into a cluster, and the rights that it gets there.
import { definitions, type Definition } from './definitions.js';
import {
  accountName,
  controllerDeployment,
  controllerLabels,
  scopeOf,
  type ControllerSettings,
} from './deployment.js';
import { metricsService } from './monitoring.js';
import { ownRules, poolRules, rbac, roleRef } from './rights.js';

const rights = `${rbac}/v1` as const;

export function serviceAccount<Text>({ name, namespace }: ControllerSettings<Text>) {
  return {
    apiVersion: 'v1' as const,
    kind: 'ServiceAccount' as const,
    metadata: { name: accountName(name), namespace, labels: controllerLabels(name) },
  };
}

/** Roles with their bindings: of its own namespace, and of each of its pools'. */
export function roles<Text>(settings: ControllerSettings<Text>) {
  const { name, namespace } = settings;
  const scope = scopeOf(settings);
  return [
    pair(
      settings,
      `${name}-leader-election-role`,
      `${name}-leader-election-rolebinding`,
      namespace,
      ownRules,
    ),
    ...(scope === 'all'
      ? []
      : scope.map((where) =>
          pair(settings, `${name}-manager-role`, `${name}-manager-rolebinding`, where, poolRules),
        )),
  ];
}

function pair<Text>(
  settings: ControllerSettings<Text>,
  role: string,
  binding: string,
  namespace: Text | string,
  rules: typeof poolRules,
) {
  const labels = controllerLabels(settings.name);
  return {
    role: {
      apiVersion: rights,
      kind: 'Role' as const,
      metadata: { name: role, namespace, labels },
      rules,
    },
    binding: {
      apiVersion: rights,
      kind: 'RoleBinding' as const,
      metadata: { name: binding, namespace, labels },
      roleRef: roleRef('Role', role),
      subjects: subjectsOf(settings),
    },
  };
}

function subjectsOf<Text>({ name, namespace }: ControllerSettings<Text>) {
  return [{ kind: 'ServiceAccount', name: accountName(name), namespace }];
}

/** Only for a controller that looks after all namespaces. */
export function clusterRoles(settings: ControllerSettings) {
  if (scopeOf(settings) !== 'all') return [];
  const role = `${settings.name}-manager-role`;
  const labels = controllerLabels(settings.name);
  return [
    { apiVersion: rights, kind: 'ClusterRole' as const, metadata: { name: role, labels }, rules: poolRules },
    {
      apiVersion: rights,
      kind: 'ClusterRoleBinding' as const,
      metadata: { name: `${settings.name}-manager-rolebinding`, labels },
      roleRef: roleRef('ClusterRole', role),
      subjects: subjectsOf(settings),
    },
  ];
}

/** An object as `kubectl apply` takes it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Definitions, namespace, account, rights and the controller itself, in the order in which they can be applied. */
export function controllerManifests(settings: ControllerSettings): readonly (Manifest | Definition)[] {
  const { namespace, metricsPort } = settings;
  return [
    ...definitions(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    serviceAccount(settings),
    ...clusterRoles(settings),
    ...roles(settings).flatMap(({ role, binding }) => [role, binding]),
    controllerDeployment(settings),
    ...(metricsPort === undefined ? [] : [metricsService(settings, metricsPort)]),
  ];
}
