// The pool itself as objects: its Secrets, the WorkerPool, and what protects its runs.
import * as pulumi from '@pulumi/pulumi';
import { CustomResource } from '@pulumi/kubernetes/apiextensions/customResource.js';
import { ConfigMap } from '@pulumi/kubernetes/core/v1/configMap.js';
import { Secret } from '@pulumi/kubernetes/core/v1/secret.js';
import { NetworkPolicy } from '@pulumi/kubernetes/networking/v1/networkPolicy.js';
import { PodDisruptionBudget } from '@pulumi/kubernetes/policy/v1/podDisruptionBudget.js';
import { ports } from '../../protocol/kubernetes/deployment.js';
import { apiVersion } from '../../protocol/kubernetes/names.js';
import {
  controllerNetworkPolicy,
  disruptionBudget,
  httpsPort,
  runNetworkPolicy,
} from '../../protocol/kubernetes/protection.js';
import type { ChildOptions } from '../plan.js';
import type { KubernetesWorkerPoolArgs } from './arguments.js';
import { podOf, policyFile } from './environment.js';
import type { Labelled } from './labels.js';
import { usualPorts, type KubernetesPlan } from './plan.js';

interface Place {
  readonly namespace: pulumi.Output<string>;
  readonly labelled: Labelled;
}

/** Name of a Secret or ConfigMap: Pulumi gives it, so that a new one is there before the old one goes. */
const nameOf = (made: Secret | ConfigMap): pulumi.Output<string> => made.metadata.name;

export interface PoolData {
  /** The Secret with token and key; null for a pool that the controller registers. */
  readonly credentials: pulumi.Output<string> | null;
  readonly apiCredentials: pulumi.Output<string> | null;
  readonly environment: pulumi.Output<string> | null;
  readonly certificates: pulumi.Output<string> | null;
  readonly policy: pulumi.Output<string> | null;
  readonly made: readonly pulumi.Resource[];
}

export function dataOf(
  name: string,
  args: KubernetesWorkerPoolArgs,
  plan: KubernetesPlan,
  { namespace, labelled }: Place,
  options: ChildOptions,
): PoolData {
  const made: pulumi.Resource[] = [];
  const metadata = labelled({ namespace });
  const secret = (part: string, stringData: pulumi.Input<Record<string, pulumi.Input<string>>>) => {
    const one = new Secret(`${name}-${part}`, { metadata, type: 'Opaque', stringData }, options);
    made.push(one);
    return nameOf(one);
  };
  const { credentials, apiCredentials: key, launcher } = args;
  const pair = plan.credentials?.apply(({ token, privateKey }) => ({ token, privateKey }));
  const data = {
    credentials:
      pair !== undefined
        ? secret('credentials', pair)
        : credentials === undefined
          ? null
          : pulumi.output(credentials),
    apiCredentials:
      key === undefined
        ? null
        : key.secretName !== undefined
          ? pulumi.output(key.secretName)
          : secret('api-credentials', {
              keyId: key.keyId ?? '',
              keySecret: pulumi.secret(key.keySecret ?? ''),
              endpoint: key.endpoint ?? '',
            }),
    environment:
      Object.keys(launcher?.environment ?? {}).length === 0
        ? null
        : secret('environment', pulumi.secret(launcher?.environment ?? {})),
  };
  const configMap = (part: string, text: Record<string, pulumi.Output<string>>) => {
    const one = new ConfigMap(`${name}-${part}`, { metadata, data: text }, options);
    made.push(one);
    return nameOf(one);
  };
  return {
    ...data,
    certificates:
      plan.certificates === null
        ? null
        : configMap('certificates', {
            'extra-ca.pem': plan.certificates.apply((list) => list.map((pem) => `${pem.trim()}\n`).join('')),
          }),
    policy:
      launcher?.runInitializationPolicy === undefined
        ? null
        : configMap('policy', {
            [policyFile]: plan.options.apply((values) => values.launcher.runInitializationPolicy ?? ''),
          }),
    made,
  };
}

/** Budget and policies. */
export function protectionOf(
  name: string,
  args: KubernetesWorkerPoolArgs,
  plan: KubernetesPlan,
  { namespace, labelled }: Place,
  options: ChildOptions,
): pulumi.Resource[] {
  const made: pulumi.Resource[] = [];
  if (args.podDisruptionBudget !== false) {
    const budget = disruptionBudget(name, namespace);
    made.push(
      new PodDisruptionBudget(`${name}-runs`, { ...budget, metadata: labelled(budget.metadata) }, options),
    );
  }
  const given = args.networkPolicy;
  if (given === undefined) return made;
  const plane = plan.credentials?.apply(({ ports: known }) => known) ?? pulumi.output(usualPorts);
  // Ports are told by the token, and no secret for it.
  const egress = pulumi.unsecret(pulumi.all([plane, plan.options])).apply(([known, { proxy }]) => {
    const proxies = [proxy?.http, proxy?.https].flatMap((address) =>
      address === undefined ? [] : [portOf(address)],
    );
    return {
      runs: [httpsPort, ...known.runs, ...proxies, ...(given.ports ?? [])],
      controller: [httpsPort, ...known.controller, ...proxies, ...(given.controllerPorts ?? [])],
    };
  });
  const metricsPort = args.metrics === undefined ? undefined : ports.metrics;
  const policy = (
    part: string,
    of: (known: pulumi.Unwrap<typeof egress>) => ReturnType<typeof runNetworkPolicy>,
  ) =>
    new NetworkPolicy(
      `${name}-${part}`,
      {
        metadata: labelled({ name: `${name}-${part}`, namespace }),
        spec: egress.apply((known) => of(known).spec),
      },
      options,
    );
  made.push(policy('runs', (known) => runNetworkPolicy(name, '', known.runs)));
  if (plan.installController) {
    made.push(
      policy('controller', (known) => controllerNetworkPolicy(name, '', known.controller, metricsPort)),
    );
  }
  return made;
}

function portOf(address: string): number {
  const { port, protocol } = new URL(address);
  return port !== '' ? Number(port) : protocol === 'https:' ? httpsPort : 80;
}

/** Seconds that a pool gets to end its runs when it is deleted, beyond the longest of them. */
const farewell = 600;

export function workerPoolOf(
  name: string,
  args: KubernetesWorkerPoolArgs,
  plan: KubernetesPlan,
  { namespace, labelled }: Place,
  data: PoolData,
  options: ChildOptions,
): CustomResource {
  const { credentials, apiCredentials } = data;
  const reference = (secret: pulumi.Input<string>, key: string) => ({ secretKeyRef: { name: secret, key } });
  const image = args.launcher?.image;
  const pod = pulumi
    .all([plan.options, data.environment, data.certificates, data.policy, image ?? ''])
    .apply(([values, environment, certificates, policy, launcherImage]) =>
      podOf(values, {
        environment,
        certificates,
        policy,
        // A controller of ours uses its own image.
        launcherImage: plan.installController || launcherImage === '' ? null : launcherImage,
        certificatesImage: launcherImage,
      }),
    );
  return new CustomResource(
    name,
    {
      apiVersion,
      kind: 'WorkerPool',
      metadata: labelled({ name: name, namespace }),
      spec: plan.settings.apply((settings) => ({
        poolSize: plan.size.desired,
        ...(credentials === null
          ? {}
          : { token: reference(credentials, 'token'), privateKey: reference(credentials, 'privateKey') }),
        ...(apiCredentials === null
          ? {}
          : { spaceliftAPICredentials: { secretKeyRef: { name: apiCredentials } } }),
        ...settings,
        pod,
      })),
    },
    {
      ...options,
      ignoreChanges: args.size?.desired === undefined ? ['spec.poolSize'] : [],
      // It is gone when its runs are over.
      customTimeouts: { delete: `${String(plan.longestRun + farewell)}s` },
    },
  );
}
