// What the pool controller may do in a cluster: as much as it does, where its pools are, and nothing else.
import { group } from './names.js';

export interface Rule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

/** What the controller does in the namespaces of its pools. */
export const poolRules: Rule[] = [
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'list', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  // People make pools and delete them; the controller marks them.
  { apiGroups: [group], resources: ['workerpools'], verbs: ['list', 'patch', 'watch'] },
  { apiGroups: [group], resources: ['workers'], verbs: ['create', 'delete', 'list', 'patch', 'watch'] },
  // To own objects whose owner waits for them: workers and the registration Secret, run pods and their Secrets.
  {
    apiGroups: [group],
    resources: ['workerpools/finalizers', 'workers/finalizers'],
    verbs: ['update'],
  },
  { apiGroups: [group], resources: ['workerpools/status', 'workers/status'], verbs: ['patch'] },
];

/** In its own namespace: the lease by which one of several replicas leads, and its own API key. */
export const ownRules: Rule[] = [
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['create', 'get', 'update'],
  },
  { apiGroups: [''], resources: ['secrets'], resourceNames: ['spacelift-api-credentials'], verbs: ['get'] },
];

/** To ask who somebody is and what they may: for secured figures. Neither belongs to a namespace. */
export const askingRules: Rule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
];

/** What whoever collects secured figures needs. */
export const readingRules = [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }];

export const rbac = 'rbac.authorization.k8s.io';

/** A reference to one role, as bindings have it. */
export function roleRef<Kind extends 'Role' | 'ClusterRole'>(kind: Kind, name: string) {
  return { apiGroup: rbac, kind, name };
}
