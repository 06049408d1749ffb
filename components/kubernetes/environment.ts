// What the launcher's settings, proxies and certificates mean in the containers of a run pod and of the controller.
import type * as pulumi from '@pulumi/pulumi';
import { parseDuration } from '../../protocol/duration.js';
import { launcherEnvironment, type LauncherOptions } from '../launcher-environment.js';
import type { ProxyArgs } from '../arguments.js';
import { withoutUndefined } from '../known.js';
import type { PodArgs } from './pool-arguments.js';

/** The arguments whose values are readable in the cluster, when all of them are there. */
export interface PlainOptions {
  readonly launcher: Omit<LauncherOptions, 'environment'> & { readonly image?: string };
  readonly proxy: pulumi.Unwrap<ProxyArgs> | undefined;
  readonly pod: pulumi.Unwrap<PodArgs>;
}

/** Where certificates are in all containers. */
const folders = { extra: '/opt/spacelift/certificates/extra', all: '/opt/spacelift/certificates/all' };
const extraFile = `${folders.extra}/extra-ca.pem`;
/** Those of the launcher's image, and the extra ones. */
const bundle = `${folders.all}/ca-certificates.crt`;
const volumes = {
  extra: 'extra-certificates',
  all: 'all-certificates',
  policy: 'initialization-policy',
} as const;
const policyFolder = '/opt/spacelift/policies/initialization';
/** In its ConfigMap. */
export const policyFile = 'initialization-policy.rego';

const mounts = [
  { name: volumes.extra, mountPath: folders.extra, readOnly: true },
  { name: volumes.all, mountPath: folders.all },
];

type Variables = Readonly<Record<string, string>>;

/** In both spellings: programs differ in which they read. */
function proxyVariables(proxy: PlainOptions['proxy']): Variables {
  if (proxy === undefined) return {};
  const values = {
    ...(proxy.http === undefined ? {} : { HTTP_PROXY: proxy.http }),
    ...(proxy.https === undefined ? {} : { HTTPS_PROXY: proxy.https }),
    NO_PROXY: [
      'localhost',
      '127.0.0.1',
      '169.254.169.254',
      '.svc',
      '.cluster.local',
      ...(proxy.no ?? []),
    ].join(','),
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => [
      [name, value],
      [name.toLowerCase(), value],
    ]),
  );
}

/** Variables and mounts of the controller's container. */
export function controllerAdditions(proxy: PlainOptions['proxy'], certificates: string | null) {
  return {
    env: listed({
      ...proxyVariables(proxy),
      ...(certificates === null ? {} : { NODE_EXTRA_CA_CERTS: extraFile }),
    }),
    volumeMounts: certificates === null ? [] : mounts.slice(0, 1),
    volumes: certificates === null ? [] : [extraVolume(certificates)],
  };
}

const extraVolume = (configMap: string) => ({ name: volumes.extra, configMap: { name: configMap } });

export interface PodAdditions {
  /** Name of the Secret with further variables of runs, or null. */
  readonly environment: string | null;
  /** Name of the ConfigMap with further certificates, or null. */
  readonly certificates: string | null;
  /** Name of the ConfigMap with the run initialization policy, or null. */
  readonly policy: string | null;
  /** Image of the launcher's containers, if the pool has to name it. */
  readonly launcherImage: string | null;
  /** The same, for the container that puts certificates together. */
  readonly certificatesImage: string;
}

/** `spec.pod` of the WorkerPool: what was given, and what the other arguments add. What was given wins. */
export function podOf(options: PlainOptions, additions: PodAdditions): pulumi.Unwrap<PodArgs> {
  const { pod, launcher, proxy } = options;
  const proxies = proxyVariables(proxy);
  const { certificates, policy } = additions;
  const trusts = certificates !== null;
  const own = Object.entries(launcherEnvironment({ ...launcher, environment: {} })).filter(
    ([name]) => name !== 'SPACELIFT_DEFAULT_RUNNER_IMAGE',
  );
  const ofInit = (name: string) => name.startsWith('SPACELIFT_PRIVATEVCS_');
  const extra = trusts ? { NODE_EXTRA_CA_CERTS: extraFile } : {};
  const replacing = (names: readonly string[]) =>
    trusts ? Object.fromEntries(names.map((name) => [name, bundle])) : {};
  const policyMounts =
    policy === null ? [] : [{ name: volumes.policy, mountPath: policyFolder, readOnly: true }];
  const container = (given: PodContainer | undefined, variables: Variables, own: readonly Mount[] = []) => {
    const env = merged(variables, given?.env);
    const added = [...(trusts ? mounts : []), ...own];
    const more = added.length === 0 ? given?.volumeMounts : [...added, ...(given?.volumeMounts ?? [])];
    const made = {
      ...given,
      ...(env === undefined ? {} : { env }),
      ...(more === undefined ? {} : { volumeMounts: more }),
    };
    return Object.keys(made).length === 0 ? undefined : made;
  };
  const envFrom =
    additions.environment === null
      ? {}
      : {
          envFrom: [{ secretRef: { name: additions.environment } }, ...(pod.workerContainer?.envFrom ?? [])],
        };
  const given = {
    ...proxies,
    ...extra,
    ...replacing(['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'GIT_SSL_CAINFO']),
  };
  // A list of what runs get has to have what they get from here.
  const { whitelistEnvs } = launcher;
  const whitelist: Variables =
    whitelistEnvs === undefined
      ? {}
      : { SPACELIFT_WHITELIST_ENVS: [...whitelistEnvs, ...Object.keys(given)].join(',') };
  return withoutUndefined({
    ...pod,
    activeDeadlineSeconds:
      pod.activeDeadlineSeconds ??
      (launcher.runTimeout === undefined ? undefined : deadlineOf(launcher.runTimeout)),
    launcherImage: pod.launcherImage ?? additions.launcherImage ?? undefined,
    defaultRunnerImage: pod.defaultRunnerImage ?? launcher.defaultRunnerImage,
    volumes:
      certificates === null && policy === null
        ? pod.volumes
        : [
            ...(certificates === null
              ? []
              : [extraVolume(certificates), { name: volumes.all, emptyDir: {} }]),
            ...(policy === null ? [] : [{ name: volumes.policy, configMap: { name: policy } }]),
            ...(pod.volumes ?? []),
          ],
    ...(certificates === null
      ? {}
      : {
          customInitContainers: [
            bundler(pod.launcherImage ?? additions.certificatesImage),
            ...(pod.customInitContainers ?? []),
          ],
        }),
    initContainer: container(
      pod.initContainer,
      {
        ...proxies,
        ...extra,
        ...replacing(['GIT_SSL_CAINFO']),
        ...Object.fromEntries(own.filter(([name]) => ofInit(name))),
        ...(policy === null
          ? {}
          : { SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: `${policyFolder}/${policyFile}` }),
      },
      policyMounts,
    ),
    grpcServerContainer: container(pod.grpcServerContainer, { ...proxies, ...extra }),
    workerContainer: container(
      { ...pod.workerContainer, ...envFrom },
      { ...given, ...Object.fromEntries(own.filter(([name]) => !ofInit(name))), ...whitelist },
    ),
  });
}

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}
type PodContainer = NonNullable<pulumi.Unwrap<PodArgs>['workerContainer']>;

/** Runs before the container init: programs in runs take one file with all certificates, not further ones. */
function bundler(image: string) {
  return {
    name: 'certificates',
    image,
    command: ['/bin/sh', '-c', `cat /etc/ssl/certs/ca-certificates.crt '${extraFile}' > '${bundle}'`],
    volumeMounts: mounts,
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
}

/** Seconds: the launcher ends a run at its timeout and says so; the pod's own end comes after that. */
export function deadlineOf(runTimeout: string): number {
  return Math.ceil(parseDuration(runTimeout) / 1000) + 600;
}

const listed = (variables: Variables) => Object.entries(variables).map(([name, value]) => ({ name, value }));

function merged(variables: Variables, given: PodContainer['env']) {
  const names = new Set(given?.map(({ name }) => name));
  const own = listed(variables).filter(({ name }) => !names.has(name));
  return own.length === 0 ? given : [...own, ...(given ?? [])];
}
