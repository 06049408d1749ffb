// The boot script of a worker: settings in, one script out. The texts beside this file are its parts.
import { readFileSync } from 'node:fs';
import type { Cloud } from '../machines.js';
import type { BootSettings } from './settings.js';
import { assignments, fileOf, quoted, withoutComments } from './shell.js';
import { endedUnit, launcherUnit, prepareUnit } from './units.js';

const folder = '/opt/poolwright';
const caBundle = `${folder}/ca-certificates.crt`;

const functions = part('functions');
const boot = part('boot');
const prepare = part('prepare');
const start = part('start');
const ended = part('ended');
const adaptors: Readonly<Record<Cloud, string>> = {
  aws: part('aws'),
  azure: part('azure'),
  google: part('google'),
};

/** Readable by everyone who may read the machine's user data, so it holds no secret. At its first line bash. */
export function bootScript(settings: BootSettings): string {
  return [
    `#!/bin/bash\n# Boot of a worker (launcher ${settings.launcher.version}, credentials ${settings.credentialsVersion})\n`,
    `mkdir -p ${folder}\n`,
    fileOf(
      `${folder}/settings`,
      '644',
      assignments(scriptSettings(settings)) + assignments(proxyVariables(settings), 'export '),
    ),
    fileOf(`${folder}/functions`, '644', adaptors[settings.cloud] + functions),
    fileOf(`${folder}/launcher.env`, '644', assignments(launcherVariables(settings), 'export ')),
    ...(settings.policy === null ? [] : [fileOf(`${folder}/policy.rego`, '644', settings.policy)]),
    fileOf(`${folder}/prepare`, '755', prepare),
    fileOf(`${folder}/start`, '755', start),
    fileOf(`${folder}/ended`, '755', ended),
    fileOf('/etc/systemd/system/poolwright-prepare.service', '644', prepareUnit),
    fileOf('/etc/systemd/system/poolwright-launcher.service', '644', launcherUnit(settings)),
    fileOf('/etc/systemd/system/poolwright-ended.service', '644', endedUnit),
    `. ${folder}/settings\n. ${folder}/functions\n`,
    ...(settings.extraCaCertificates.length === 0
      ? ['EXTRA_CA=\n']
      : [`EXTRA_CA=${quoted(settings.extraCaCertificates.map((pem) => pem.trim()).join('\n'))}\n`]),
    boot,
  ].join('');
}

/** What the scripts themselves read. */
function scriptSettings(settings: BootSettings): Record<string, string> {
  const { launcher, endpoints } = settings;
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
    METADATA_ENDPOINT: endpoints?.metadata ?? '',
    SECRETS_ENDPOINT: endpoints?.secrets ?? '',
  };
}

/** In both spellings: programs differ in which they read. */
function proxyVariables({ proxy }: BootSettings): Record<string, string> {
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

/** The launcher's own variables, and those by which its runs learn of proxies and certificates. */
function launcherVariables(settings: BootSettings): Record<string, string> {
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
    ...environment,
    ...trusted,
    ...(extraCaCertificates.length === 0
      ? {}
      : {
          NODE_EXTRA_CA_CERTS: `${folder}/extra-ca.pem`,
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

function part(name: string): string {
  return withoutComments(readFileSync(new URL(`${name}.sh`, import.meta.url), 'utf8'));
}
