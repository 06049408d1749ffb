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
import { askingRules, ownRules, poolRules, rbac, readingRules, roleRef } from './rights.js';

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

/**
 * Of the cluster, for secured figures: that the controller may ask the API server about whoever wants to read them, and a
 * role for those to be bound to. `prefix` begins their names, which are the cluster's.
 */
export function metricsRoles<Text>(
  settings: ControllerSettings<Text>,
  prefix: (part: string) => Text | string,
) {
  const labels = controllerLabels(settings.name);
  const asking = prefix('metrics-auth-role');
  return {
    asking: {
      apiVersion: rights,
      kind: 'ClusterRole' as const,
      metadata: { name: asking, labels },
      rules: askingRules,
    },
    binding: {
      apiVersion: rights,
      kind: 'ClusterRoleBinding' as const,
      metadata: { name: prefix('metrics-auth-rolebinding'), labels },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole' as const, name: asking },
      subjects: subjectsOf(settings),
    },
    reading: {
      apiVersion: rights,
      kind: 'ClusterRole' as const,
      metadata: { name: prefix('metrics-reader'), labels },
      rules: readingRules,
    },
  };
}

/** An object as `kubectl apply` takes it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Definitions, namespace, account, rights and the controller itself, in the order in which they can be applied. */
export function controllerManifests(settings: ControllerSettings): readonly (Manifest | Definition)[] {
  const { name, namespace, metrics } = settings;
  return [
    ...definitions(),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    serviceAccount(settings),
    ...clusterRoles(settings),
    ...roles(settings).flatMap(({ role, binding }) => [role, binding]),
    controllerDeployment(settings),
    ...(metrics?.secure === true ? Object.values(metricsRoles(settings, (part) => `${name}-${part}`)) : []),
    ...(metrics === undefined ? [] : [metricsService(settings, metrics)]),
  ];
}
