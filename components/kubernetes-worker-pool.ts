// A worker pool on Kubernetes: a WorkerPool, and the controller that looks after it.
import * as pulumi from '@pulumi/pulumi';
import { Namespace } from '@pulumi/kubernetes/core/v1/namespace.js';
import { accountName } from '../protocol/kubernetes/deployment.js';
import type { KubernetesWorkerPoolArgs } from './kubernetes/arguments.js';
import { controllerOf } from './kubernetes/controller.js';
import { sharedDefinitions } from './kubernetes/definitions.js';
import { labelling } from './kubernetes/labels.js';
import { planPool } from './kubernetes/plan.js';
import { dataOf, protectionOf, workerPoolOf } from './kubernetes/pool.js';
import type { ChildOptions } from './plan.js';
import { gateFor } from './waiting/gate.js';
import type { KnownWorker } from './waiting/workers.js';

const type = 'workerpools:index:KubernetesWorkerPool';

/** A worker pool on Kubernetes: a WorkerPool whose runs are pods, and the controller that looks after it. */
export class KubernetesWorkerPool extends pulumi.ComponentResource {
  /** Name of the WorkerPool. */
  readonly poolName: pulumi.Output<string>;
  /** Namespace of the pool and its runs. Workers register it as `k8s_namespace`. */
  readonly namespace: pulumi.Output<string>;
  /** Id of the pool at the control plane, where token was given; else its label `workers.spacelift.io/ulid` tells it. */
  readonly poolId: pulumi.Output<string | undefined>;
  /** The Secret with token and private key, `namespace/name`. */
  readonly credentialsId: pulumi.Output<string>;
  /** Image of the controller and of the launcher's containers; none where another one's is used. */
  readonly launcherImage: pulumi.Output<string | undefined>;
  /** How to look at the pool: commands. */
  readonly howToLook: pulumi.Output<string>;

  constructor(name: string, args: KubernetesWorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(type, name, {}, opts);
    const plan = planPool(type, name, args);
    const options: ChildOptions = { parent: this, dependsOn: plan.checked };
    const labelled = labelling(args.tags);
    const definitions = args.installCustomResources === false ? [] : sharedDefinitions(name, options);
    const namespace =
      args.namespace === undefined
        ? new Namespace(
            name,
            { metadata: labelled({ labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }) },
            options,
          ).metadata.name
        : pulumi.output(args.namespace);
    const place = { namespace, labelled };
    const data = dataOf(name, args, plan, place, options);
    const protection = protectionOf(name, args, plan, place, options);
    const image = args.launcher?.image;
    const after = (...resources: readonly pulumi.Resource[]): ChildOptions => ({
      ...options,
      dependsOn: pulumi.output(plan.checked).apply(() => [...resources]),
    });
    const controller =
      plan.installController && image !== undefined
        ? controllerOf(
            name,
            args,
            plan,
            { ...place, image, certificates: data.certificates },
            after(...definitions),
          )
        : [];
    // The pool is made last and goes first: while it ends its runs, it needs all the others.
    const pool = workerPoolOf(
      name,
      args,
      plan,
      place,
      data,
      after(...definitions, ...data.made, ...protection, ...controller),
    );

    // Where another one looks after the pool, nobody here knows its name.
    const controllerLogs = (where: string) =>
      plan.installController ? [`kubectl logs deployment/${accountName(name)} --namespace ${where}`] : [];
    const gate = gateFor(this, args.waitForWorkers, () =>
      pulumi.all([pool.id, pool.metadata.name, namespace]).apply(([, poolName, where]) => ({
        counts: ({ metadata }: KnownWorker) =>
          metadata['k8s_pool'] === poolName && metadata['k8s_namespace'] === where,
        explain: () =>
          Promise.resolve([
            `kubectl describe workerpool ${poolName} --namespace ${where}`,
            ...controllerLogs(where),
          ]),
      })),
    );
    this.poolName = gate(pool.metadata.name);
    this.namespace = namespace;
    this.poolId = pulumi.unsecret(
      plan.credentials?.apply(({ pool: id }): string | undefined => id) ?? pulumi.output(undefined),
    );
    const secret = data.credentials ?? pulumi.interpolate`${this.poolName}-registration`;
    this.credentialsId = pulumi.interpolate`${namespace}/${secret}`;
    this.launcherImage = pulumi.output(image);
    this.howToLook = pulumi
      .all([namespace, this.poolName])
      .apply(([where, poolName]) =>
        [
          `kubectl get workerpools,workers,pods --namespace ${where}`,
          `kubectl describe workerpool ${poolName} --namespace ${where}`,
          ...controllerLogs(where),
        ].join('\n'),
      );
    this.registerOutputs({
      poolName: this.poolName,
      namespace: this.namespace,
      poolId: this.poolId,
      credentialsId: this.credentialsId,
      launcherImage: this.launcherImage,
      howToLook: this.howToLook,
    });
  }
}
