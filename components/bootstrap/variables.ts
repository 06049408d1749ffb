// What the scripts of a worker read, what its launcher reads, and what reaches its runs, as variables.
import type { BootSettings } from './settings.js';

/** Where everything of a worker's boot is, on its machine. */
export const folder = '/opt/poolwright';
/** Docker's configuration, when the machine has registries to log in to. */
export const dockerConfigFolder = `${folder}/docker`;
/** The certificates that were given. */
export const caFile = `${folder}/extra-ca.pem`;
/** All certificates that the machine trusts. */
const caBundle = `${folder}/ca-certificates.crt`;

/** What the scripts themselves read. */
export function scriptSettings(settings: BootSettings): Record<string, string> {
  const { launcher } = settings;
  return {
    CLOUD: settings.cloud,
    CONSOLE: '/dev/console',
    HOME_FOLDER: folder,
    DISTRIBUTION: launcher.distribution,
    LAUNCHER_VERSION: launcher.version,
    LAUNCHER_URL: launcher.url,
    LAUNCHER_SHA256: launcher.sha256,
    CREDENTIALS: settings.credentials,
    STARTUP_SCRIPT: settings.startupScript ?? '',
    RUN_AS: settings.runAs,
    POWER_OFF: String(settings.powerOff),
    BLOCK_METADATA: String(settings.blockMetadata),
    IDENTITY_CLIENT_ID: settings.identityClientId ?? '',
    LIFECYCLE_HOOK: settings.life?.lifecycleHook ?? '',
    REPLACED_BY_HEALTH: String(settings.life?.replacedByHealth ?? false),
  };
}

/** In both spellings: programs differ in which they read. */
export function proxyVariables({ proxy }: Pick<BootSettings, 'proxy'>): Record<string, string> {
  if (proxy === null) return {};
  const direct = ['localhost', '127.0.0.1', '169.254.169.254', '168.63.129.16', 'metadata.google.internal'];
  const values = {
    ...(proxy.http === undefined ? {} : { HTTP_PROXY: proxy.http }),
    ...(proxy.https === undefined ? {} : { HTTPS_PROXY: proxy.https }),
    NO_PROXY: [...direct, ...proxy.no].join(','),
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => [
      [name, value],
      [name.toLowerCase(), value],
    ]),
  );
}

/** What the launcher has to know of its machine. */
function lifeVariables({ cloud, life, identityClientId }: BootSettings): Record<string, string> {
  if (life === null) return {};
  const values: Record<string, string | null | undefined> = {
    POOLWRIGHT_CLOUD: cloud,
    POOLWRIGHT_LIFECYCLE_HOOK: life.lifecycleHook,
    POOLWRIGHT_SCALE_IN_PROTECTION: life.scaleInProtection ? null : 'false',
    POOLWRIGHT_HEALTH_PORT: life.healthPort === null ? null : String(life.healthPort),
    POOLWRIGHT_DISCONNECTED_TIMEOUT: life.disconnectedTimeout,
    POOLWRIGHT_AZURE_CLIENT_ID: identityClientId,
  };
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The launcher's own variables, and those by which its runs learn of proxies and certificates. */
export function launcherVariables(settings: BootSettings): Record<string, string> {
  const { environment, extraCaCertificates, policy } = settings;
  const proxy = proxyVariables(settings);
  const trusted: Record<string, string> =
    extraCaCertificates.length === 0
      ? {}
      : Object.fromEntries(
          ['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'GIT_SSL_CAINFO'].map((name) => [
            name,
            caBundle,
          ]),
        );
  const passed = [...Object.keys(proxy), ...Object.keys(trusted)];
  const mount = `${caBundle}:${caBundle}`;
  return {
    ...lifeVariables(settings),
    ...(settings.registries.length === 0 ? {} : { SPACELIFT_DOCKER_CONFIG_DIR: dockerConfigFolder }),
    ...environment,
    ...trusted,
    ...(extraCaCertificates.length === 0
      ? {}
      : {
          NODE_EXTRA_CA_CERTS: caFile,
          SPACELIFT_WORKER_EXTRA_MOUNTS: joined(environment['SPACELIFT_WORKER_EXTRA_MOUNTS'], [mount]),
        }),
    ...(passed.length === 0
      ? {}
      : { SPACELIFT_WHITELIST_ENVS: joined(environment['SPACELIFT_WHITELIST_ENVS'], passed) }),
    ...(policy === null ? {} : { SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: `${folder}/policy.rego` }),
  };
}

function joined(list: string | undefined, more: readonly string[]): string {
  return [...(list === undefined || list === '' ? [] : list.split(',')), ...more].join(',');
}
