// The objects of the API server that the controller works with: only what it reads of them. What the API server sends is
// of its own schema, so it is not checked again, but for the pools' spec, which gets its types from there.
import { workerPoolSpec, type WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';

export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly {
    readonly uid: string;
    readonly kind: string;
    readonly name: string;
  }[];
}

export interface KubeObject {
  readonly metadata: Metadata;
}

export interface WorkerPool extends KubeObject {
  readonly spec: unknown;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface Worker extends KubeObject {
  readonly status?: {
    readonly registered?: boolean;
    readonly state?: string;
    readonly currentRunID?: string;
  };
}

export interface Secret extends KubeObject {
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface TerminatedState {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly signal?: number;
  readonly finishedAt?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly image?: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: TerminatedState;
  };
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly schedulerName?: string;
    readonly activeDeadlineSeconds?: number;
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** The spec with its defaults; an object from before an upgrade of the definition may lack them. */
export function specOf(pool: Pick<WorkerPool, 'spec'>): WorkerPoolSpec {
  return workerPoolSpec.parse(pool.spec);
}

/** `namespace/name`. */
export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** `namespace/name` of the WorkerPool that a worker is of; undefined for one that somebody has made by hand. */
export function poolKeyOf({ metadata }: Worker): string | undefined {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === 'WorkerPool');
  return owner === undefined ? undefined : `${metadata.namespace}/${owner.name}`;
}

export function ownerReference(kind: string, apiVersion: string, { metadata }: KubeObject) {
  return {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
