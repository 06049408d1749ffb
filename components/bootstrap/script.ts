// The user data of a worker: settings in, one script out. The texts beside this file are its parts.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cloud } from '../machines.js';
import type { BootSettings } from './settings.js';
import { assignments, fileOf, withoutComments } from './shell.js';
import { bootUnit, dockerBound, endedUnit, launcherUnit, prepareUnit } from './units.js';
import {
  caFile,
  dockerConfigFolder,
  folder,
  launcherVariables,
  proxyVariables,
  scriptSettings,
} from './variables.js';

const functions = part('functions');
const boot = part('boot');
const prepare = part('prepare');
const start = part('start');
const ended = part('ended');
const credentialHelper = part('credential-helper');
const userData = part('user-data');
const adaptors: Readonly<Record<Cloud, string>> = {
  aws: part('aws'),
  azure: part('azure'),
  google: part('google'),
};

/** What we add to the unit of the engine. */
const dockerUnit = '/etc/systemd/system/docker.service.d';

/** What Docker configurations call the helper that knows the credentials of the cloud's registries. */
const helperName = 'poolwright';

/**
 * Has cloud-init run a script at every start of the machine. Ordinary user data runs once, and a machine that is reset
 * meanwhile would never have the rest. Google's own agent runs a start-up script at every start anyway.
 */
const everyStart: Readonly<Record<Cloud, string>> = {
  aws: '#cloud-boothook\n',
  azure: '#cloud-boothook\n',
  google: '',
};

/**
 * The script only installs files and the unit of the boot, so it is done in a moment and may run again at any time.
 * Readable by everyone who may read the machine's user data, so it holds no secret.
 */
export function bootScript(settings: BootSettings): string {
  const files = filesOf(settings);
  // Names what is installed: a boot that has succeeded with it is not done again, one with other content is.
  const booted = `${folder}/booted-${createHash('sha256').update(files).digest('hex').slice(0, 16)}`;
  return [
    everyStart[settings.cloud],
    '#!/bin/bash\n',
    `# Boot of a worker (launcher ${settings.launcher.version}, credentials ${settings.credentialsVersion})\n`,
    onFailure(settings),
    `mkdir -p ${folder}/bin ${dockerConfigFolder} ${dockerUnit}\n`,
    files,
    fileOf('/etc/systemd/system/poolwright-boot.service', '644', bootUnit(booted)),
    userData,
  ].join('');
}

function filesOf(settings: BootSettings): string {
  const { extraCaCertificates, registries } = settings;
  return [
    fileOf(
      `${folder}/settings`,
      '644',
      assignments(scriptSettings(settings)) + assignments(proxyVariables(settings), 'export '),
    ),
    fileOf(`${folder}/functions`, '644', adaptors[settings.cloud] + functions),
    fileOf(`${folder}/launcher.env`, '644', assignments(launcherVariables(settings), 'export ')),
    ...(settings.policy === null ? [] : [fileOf(`${folder}/policy.rego`, '644', settings.policy)]),
    extraCaCertificates.length === 0
      ? `rm -f ${caFile}\n`
      : fileOf(caFile, '644', extraCaCertificates.map((pem) => pem.trim()).join('\n')),
    ...(registries.length === 0
      ? []
      : [
          fileOf(`${folder}/bin/docker-credential-${helperName}`, '755', credentialHelper),
          fileOf(
            `${dockerConfigFolder}/config.json`,
            '644',
            JSON.stringify({ credHelpers: Object.fromEntries(registries.map((host) => [host, helperName])) }),
          ),
        ]),
    fileOf(`${folder}/boot`, '755', boot),
    fileOf(`${folder}/prepare`, '755', prepare),
    fileOf(`${folder}/start`, '755', start),
    fileOf(`${folder}/ended`, '755', ended),
    fileOf('/etc/systemd/system/poolwright-prepare.service', '644', prepareUnit),
    fileOf('/etc/systemd/system/poolwright-launcher.service', '644', launcherUnit(settings)),
    fileOf('/etc/systemd/system/poolwright-ended.service', '644', endedUnit(settings)),
    fileOf(`${dockerUnit}/poolwright.conf`, '644', dockerBound),
  ].join('');
}

/** Before the functions of the boot are there, little can go wrong but a disk without room. */
function onFailure({ powerOff, life }: BootSettings): string {
  const [then, command] =
    life?.replacedByHealth === true
      ? ['The group replaces this machine', '']
      : powerOff
        ? ['Powering off', '; systemctl poweroff --no-block']
        : ['Staying up, because powerOffOnExit is false', ''];
  return (
    'set -eE\n' +
    `trap 'echo "poolwright: user data failed in line $LINENO; disk: $(df -h ${folder} 2>&1 | tail -n 1). ${then}" >/dev/console${command}; exit 1' ERR\n`
  );
}

function part(name: string): string {
  return withoutComments(readFileSync(new URL(`${name}.sh`, import.meta.url), 'utf8'));
}
