// What a pool on Kubernetes will be, decided from its arguments before any object is made.
import * as pulumi from '@pulumi/pulumi';
import { parseBrokerEndpoint, parseWebSocketEndpoint } from '../../protocol/endpoint.js';
import type { Fault } from '../../protocol/errors.js';
import { brokerPort, httpsPort } from '../../protocol/kubernetes/protection.js';
import { decodeToken } from '../../protocol/token.js';
import type { PoolSize } from '../arguments.js';
import { checkCredentials, encodedKey } from '../checks/credentials.js';
import { checkLauncher } from '../checks/launcher.js';
import { checkCertificates, checkProxy } from '../checks/network.js';
import { checkSize } from '../checks/size.js';
import { checkWaiting } from '../waiting/check.js';
import { throwFaults } from '../faults.js';
import { knownPart, withoutUndefined } from '../known.js';
import { checkEarly, secretsIn } from '../late.js';
import type { KubernetesWorkerPoolArgs } from './arguments.js';
import * as checks from './checks.js';
import { deadlineOf, type PlainOptions } from './environment.js';
import type { KubernetesNativeArgs } from './pool-arguments.js';

export interface KubernetesPlan {
  readonly size: Required<PoolSize>;
  readonly installController: boolean;
  /** Seconds, as far as that is known beforehand. */
  readonly longestRun: number;
  /** For `dependsOn` of everything: there when all arguments whose values came late are right. */
  readonly checked: pulumi.Output<pulumi.Resource[]>;
  /** Token, key (base64 on one line) and what the token tells; null when they are kept elsewhere. */
  readonly credentials: pulumi.Output<PoolCredentials> | null;
  readonly options: pulumi.Output<PlainOptions>;
  readonly settings: pulumi.Output<pulumi.Unwrap<KubernetesNativeArgs>>;
  readonly certificates: pulumi.Output<string[]> | null;
}

export interface PoolCredentials {
  readonly token: string;
  readonly privateKey: string;
  /** ULID of the pool. */
  readonly pool: string;
  /** TCP ports of the control plane: what the controller reaches, and what runs do. */
  readonly ports: { readonly controller: readonly number[]; readonly runs: readonly number[] };
}

const readable = 'and a WorkerPool is readable';

/** Checks everything that is known and throws one error with all faults; the rest is checked in `checked`. */
export function planPool(type: string, name: string, args: KubernetesWorkerPoolArgs): KubernetesPlan {
  const faults: Fault[] = [];
  if (!/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    faults.push({
      path: 'name',
      reason:
        'expected 1 to 40 lower-case letters, digits and hyphens, a letter first and no hyphen last: the objects have it',
    });
  }
  const known = knownPart(args);
  const installController = args.controller?.install !== false;
  checks.checkArgumentNames(known, faults);
  checkEarly(args, faults, checks.early);
  const size = checkSize(known.size, faults);
  checks.checkWays(args, faults);
  checkWaiting(args.waitForWorkers, known.waitForWorkers, size.max, faults);
  if (args.waitForWorkers !== undefined && args.apiCredentials !== undefined) {
    faults.push({
      path: 'waitForWorkers',
      reason: 'needs the id of the pool, which is not known before the controller has registered it',
    });
  }
  if (typeof known.token === 'string' && typeof known.privateKey === 'string')
    checkCredentials('bundled', { token: known.token, privateKey: known.privateKey }, faults);
  checks.checkController(known, faults);
  checks.checkPorts(known.networkPolicy, faults);
  checks.checkRegistration(args.apiCredentials !== undefined, args.kubernetes, faults);
  checks.checkName('namespace', known.namespace, faults);
  checks.checkName('credentials', known.credentials, faults);
  if (args.launcher?.image === undefined) {
    const needs = installController
      ? 'is missing; build it from deploy/Dockerfile, or leave the controller to another pool with controller.install: false'
      : args.extraCaCertificates !== undefined && args.pod?.launcherImage === undefined
        ? 'is missing; extraCaCertificates are put together in a container of it'
        : undefined;
    if (needs !== undefined) faults.push({ path: 'launcher.image', reason: needs });
  }
  checkValues(known, faults);
  throwFaults(type, name, faults);

  // Its environment may be secret: it goes into a Secret.
  const launcher = withoutUndefined({ ...args.launcher, environment: undefined });
  const plain = pulumi.output({
    launcher,
    proxy: args.proxy,
    pod: args.pod ?? {},
    kubernetes: args.kubernetes ?? {},
    extraCaCertificates: args.extraCaCertificates,
    namespace: args.namespace,
    tags: args.tags,
  });
  const values = plain.apply((all) => {
    const late: Fault[] = [];
    checkValues(all, late);
    checks.checkName('namespace', all.namespace, late);
    throwFaults(type, name, late);
    return all;
  });
  const credentials =
    args.token === undefined || args.privateKey === undefined
      ? null
      : checkedCredentials(type, name, args.token, args.privateKey);
  const refused = Promise.all(
    Object.entries({ launcher, proxy: args.proxy, pod: args.pod, kubernetes: args.kubernetes }).map(
      ([path, value]) => secretsIn(value, path),
    ),
  );
  const open = pulumi.output(refused).apply((paths) => {
    const secrets = paths.flat().map((path) => ({
      path,
      reason: `holds a secret, ${readable}; put it into launcher.environment, or into a Secret that pod refers to`,
    }));
    throwFaults(type, name, secrets);
    return true;
  });
  return {
    size,
    installController,
    longestRun: longestOf(known),
    checked: pulumi.all([values, credentials, open]).apply((): pulumi.Resource[] => []),
    credentials,
    options: values.apply(({ launcher, proxy, pod }): PlainOptions => ({ launcher, proxy, pod })),
    settings: values.apply(({ kubernetes }) => kubernetes),
    certificates:
      args.extraCaCertificates === undefined
        ? null
        : values.apply(({ extraCaCertificates }) => extraCaCertificates ?? []),
  };
}

/** What may come late. */
function checkValues(
  values: {
    readonly launcher?: Parameters<typeof checkLauncher>[0];
    readonly proxy?: Parameters<typeof checkProxy>[0];
    readonly pod?: unknown;
    readonly kubernetes?: unknown;
    readonly extraCaCertificates?: unknown;
    readonly tags?: unknown;
  },
  faults: Fault[],
): void {
  checkLauncher(values.launcher ?? {}, faults);
  checkProxy(
    values.proxy,
    faults,
    `${readable}; give the variables in launcher.environment and to the containers of pod`,
  );
  checkCertificates(values.extraCaCertificates, faults);
  checks.checkLabels(values.tags, faults);
  checks.checkSettings(values, faults);
}

function checkedCredentials(
  type: string,
  name: string,
  token: pulumi.Input<string>,
  privateKey: pulumi.Input<string>,
): pulumi.Output<PoolCredentials> {
  const pair = pulumi.all([token, privateKey]).apply(([tokenText, keyText]): PoolCredentials => {
    const faults: Fault[] = [];
    checkCredentials('bundled', { token: tokenText, privateKey: keyText }, faults);
    throwFaults(type, name, faults);
    const { pool, broker } = decodeToken(tokenText);
    const web = broker.webSocket === undefined ? [] : [parseWebSocketEndpoint(broker.webSocket)];
    const https = web.map(({ port }) => (port === '' ? httpsPort : Number(port)));
    return {
      token: tokenText.trim(),
      privateKey: encodedKey(keyText),
      pool,
      ports: { controller: [parseBrokerEndpoint(broker.endpoint).port, ...https], runs: https },
    };
  });
  return pulumi.secret(pair);
}

const defaultDeadline = 4200;

function longestOf({ pod, launcher }: Partial<KubernetesWorkerPoolArgs>): number {
  const deadline = typeof pod?.activeDeadlineSeconds === 'number' ? pod.activeDeadlineSeconds : undefined;
  const timeout = typeof launcher?.runTimeout === 'string' ? deadlineOf(launcher.runTimeout) : undefined;
  return deadline ?? timeout ?? defaultDeadline;
}

/** Where the broker is when no token tells. */
export const usualPorts = { controller: [brokerPort], runs: [] } as const;
